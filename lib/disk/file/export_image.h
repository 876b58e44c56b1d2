/* SPDX-License-Identifier: MIT
 *
 * export_image — a distro's disk as it is, into a file or a stream.
 *
 * An empty file becomes a copy with holes, sharing its blocks where the host can (copy.h); to
 * anything else every byte goes out, holes as zeros. What is in the image is not looked at.
 * Descriptors only. Errors: "export.copy.*", "export.read.*", "export.write.*",
 * BERTH_ERROR_CANCELLED, "export.cancelled".
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

/* *ret_bytes: written. @progress may be NULL. */
bool berth_export_image(int image, int output, BerthProgressFunc progress, gpointer user_data,
                        guint64 *ret_bytes, GError **error);

G_END_DECLS
