/* SPDX-License-Identifier: MIT
 *
 * export — writes a distro's files to an archive, or its disk to an image.
 *
 * A sandboxed berth-image (worker.h) parses the file system, which the guest controls. Copying the
 * image needs none. The caller holds the claim, and the distro is stopped. A file gets its name
 * only when it is complete (lib/disk/file/temp.h): a failed, cancelled or killed export leaves
 * nothing, and keeps the file it was to replace.
 */
#pragma once

#include "model/distro.h"
#include "store/layout.h"

G_BEGIN_DECLS

typedef struct {
    const char *path;   /* the file to create; NULL: write to @fd */
    int fd;             /* borrowed; written at its current offset */
    const char *format; /* a format's name (disk/file/export_format.h); NULL: by the path's suffix,
                           else tar */
    bool replace;       /* replace an existing file */
} BerthExportRequest;

/* Bytes of the files; @bytes_total is an estimate. Return false to cancel. */
typedef bool (*BerthExportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* Export. @progress may be NULL. *ret_notice is a line for the user about what was left out, or
 * NULL; free with g_free. Errors: BERTH_ERROR_INVALID, "usage.value" for the format and
 * "export.create.same" for the distro's own disk; BERTH_ERROR_EXISTS, "export.create.exists";
 * BERTH_ERROR_CANCELLED, "export.cancelled"; those of disk/file/temp.h, disk/image/export_archive.h
 * and worker.h. */
bool berth_manage_export(const BerthLayout *layout, const BerthDistro *distro,
                         const BerthExportRequest *request, BerthExportFunc progress,
                         gpointer user_data, char **ret_notice, GError **error);

G_END_DECLS
