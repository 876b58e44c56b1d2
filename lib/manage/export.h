/* SPDX-License-Identifier: MIT
 *
 * export — a distro's files as an archive, or its disk as an image.
 *
 * What reads the image is a berth-image (worker.h): a guest made it. Copying it as it is needs
 * none. The caller holds the claim, and the distro is stopped. A file appears under its name only
 * when it is whole (lib/disk/file/temp.h): a failed, cancelled or killed export leaves nothing, and
 * the file it was to replace stays.
 */
#pragma once

#include "model/distro.h"
#include "store/layout.h"

G_BEGIN_DECLS

typedef struct {
    const char *path; /* of the file to make; NULL: write to @fd */
    int fd;           /* borrowed; written from where it stands */
    const char *
        format; /* its word (disk/file/export_format.h); NULL: what the path's end says, else tar */
    bool replace; /* a file that is there already */
} BerthExportRequest;

/* @bytes_total is an estimate; the bytes are those of the files. False cancels. */
typedef bool (*BerthExportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* @progress may be NULL. *ret_notice is a line for the user about what was left out, or NULL; free
 * with g_free. Errors: BERTH_ERROR_INVALID, "usage.value" for the format and "export.create.same"
 * for the distro's own disk; BERTH_ERROR_EXISTS, "export.create.exists"; BERTH_ERROR_CANCELLED,
 * "export.cancelled"; those of disk/file/temp.h, disk/image/export_archive.h and worker.h. */
bool berth_manage_export(const BerthLayout *layout, const BerthDistro *distro,
                         const BerthExportRequest *request, BerthExportFunc progress,
                         gpointer user_data, char **ret_notice, GError **error);

G_END_DECLS
