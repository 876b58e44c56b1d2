/* SPDX-License-Identifier: MIT
 *
 * lock — berth-net gives up everything it will not need, before the first frame.
 *
 * libslirp parses what a hostile guest sends. Afterwards a mistake in it can still talk to the
 * network, as it must, and read files (resolv.conf, which changes as networks do); it can no longer
 * write or run any, gain a privilege, look at another process or leave a core file with what it
 * saw.
 *
 * For good, for the whole process. Must come before any thread is started.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Descriptors above @last_fd are closed. False when a wall could not be put up; then the process
 * must not go on. Errors: "net.lock.*". */
bool berth_lock_in(int last_fd, GError **error);

G_END_DECLS
