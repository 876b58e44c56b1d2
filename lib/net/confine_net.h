/* SPDX-License-Identifier: MIT
 *
 * confine_net — berth-net gives up everything it will not need, before the first frame.
 *
 * libslirp parses what a hostile guest sends. Afterwards a mistake in it can still talk to the
 * network by TCP, UDP and echo requests, as it must; it can no longer read, write or run any file,
 * gain a privilege, look at, start or signal another process, speak to one by a unix socket, or
 * leave a core file with what it saw. Most of that is refused twice: by the filter of system calls,
 * and by Landlock or a root directory without anything in it, where the host has those.
 *
 * For good, for the whole process. Must come before any thread is started.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Descriptors above @last_fd, which is open, are closed, and so are sockets at up to 7 from then on
 * confined to whom they are connected to. False when a wall could not be put up; then the process
 * must not go on. Errors: "net.lock.*". */
bool berth_net_confine(int last_fd, GError **error);

G_END_DECLS
