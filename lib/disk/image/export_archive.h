/* SPDX-License-Identifier: MIT
 *
 * export_archive — a distro's disk as an archive of its files, or as a copy of the image.
 *
 *     image -> ext4_read (entries) -> tarwriter -> compress -> descriptor
 *
 * Uses descriptors only, so it runs confined (cmd/berth-image). The image must not be in use. Equal
 * file systems give equal bytes. Blocking. The caller creates the output and removes it on failure.
 *
 * Errors: "export.read.*" (the image), "export.write.*" (the output), "export.copy.*" (one to the
 * other), BERTH_ERROR_CANCELLED, "export.cancelled".
 */
#pragma once

#include "base/progress.h"
#include "disk/file/export_format.h"

G_BEGIN_DECLS

typedef struct {
    BerthExportFormat format;
    guint threads; /* for compression; 0: one for each processor */
} BerthExportOptions;

typedef struct {
    guint64 entries;
    guint64 bytes;   /* written */
    guint64 sockets; /* skipped sockets, which are useless without their process */
    guint xattrs;    /* skipped attributes of namespaces that archives do not carry */
} BerthExportReport;

/* Write @image to @output at its current offset. @progress counts the bytes of files; it and
 * @ret_report may be NULL. */
bool berth_export_archive(int image, int output, const BerthExportOptions *options,
                          BerthProgressFunc progress, gpointer user_data,
                          BerthExportReport *ret_report, GError **error);

G_END_DECLS
