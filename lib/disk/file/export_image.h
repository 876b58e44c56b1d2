/* SPDX-License-Identifier: MIT
 *
 * export_image — copies a distro's disk unchanged into a file or a stream.
 *
 * An empty file becomes a sparse copy, a reflink where the host supports it (copy.h). Any other
 * output gets every byte, holes as zeros. Does not parse the image. Descriptors only. Errors:
 * "export.copy.*", "export.read.*", "export.write.*", BERTH_ERROR_CANCELLED, "export.cancelled".
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

/* *ret_bytes: bytes written. @progress may be NULL. */
bool berth_export_image(int image, int output, BerthProgressFunc progress, gpointer user_data,
                        guint64 *ret_bytes, GError **error);

G_END_DECLS
