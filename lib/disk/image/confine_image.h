/* SPDX-License-Identifier: MIT
 *
 * confine_image — confines berth-image to its descriptors before it reads an archive or an image.
 *
 * Decompressors and file system parsers read untrusted input. A confined, compromised process can
 * still read the input, write the output and send status lines; it cannot open paths, create
 * sockets, run programs or start processes, and its memory is bounded.
 *
 * Irreversible, for the whole process. Call before any thread is started. Errors: "import.lock.*".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Close descriptors above @last_fd and confine the process. On failure the process must exit. */
bool berth_confine_image(int last_fd, GError **error);

G_END_DECLS
