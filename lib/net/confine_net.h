/* SPDX-License-Identifier: MIT
 *
 * confine_net — berth-net drops every privilege it will not need, before the first frame.
 *
 * libslirp parses input from a hostile guest. Once confined, an exploit in it can still use TCP,
 * UDP and echo requests, which the job requires. It cannot open, write or execute files, gain
 * privileges, inspect, start or signal processes, connect to unix sockets, or dump core. Two layers
 * enforce most of this: seccomp, and Landlock or an empty root where the host offers them.
 *
 * Irreversible, for the whole process. Call before any thread starts.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Close descriptors above @last_fd (which must be open) and allow sockets up to 7 to send only to
 * their connected peer. On failure the process must exit. Errors: "net.lock.*". */
bool berth_confine_net(int last_fd, GError **error);

G_END_DECLS
