/* SPDX-License-Identifier: MIT
 *
 * confine_fetch — confines berth-fetch to its descriptors and to TCP before it contacts a server.
 *
 * Responses come from anybody. A confined, compromised process can still connect by TCP, write the
 * file that it was given and send status lines; it cannot open paths, run programs, start
 * processes, or use unix sockets, and its memory is bounded.
 *
 * Irreversible, for the whole process. Call before any thread starts. Errors: "fetch.confine.*".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Close descriptors above @last_fd and confine the process. On failure the process must exit. */
bool berth_fetch_confine(int last_fd, GError **error);

G_END_DECLS
