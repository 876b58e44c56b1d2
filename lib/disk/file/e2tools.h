/* SPDX-License-Identifier: MIT
 *
 * e2tools — e2fsck and resize2fs of the host's e2fsprogs on an image, where libext2fs offers no
 * function of its own. They get a descriptor and end with us.
 *
 * Neither survives a crash in the middle of its work, so callers give them copies of what is sound.
 *
 * Errors: BERTH_ERROR_NOT_FOUND, "resize.tool" when a program is not installed;
 * BERTH_ERROR_INVALID, "resize.check" for a disk e2fsck cannot repair by itself;
 * BERTH_ERROR_NO_SPACE, "resize.no-space"; BERTH_ERROR_FAILED, "resize.failed";
 * BERTH_ERROR_CANCELLED, "resize.cancelled". Blocking.
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

typedef struct {
    int fd;                     /* the image, open for reading and writing */
    const char *what;           /* what messages call it */
    BerthProgressFunc progress; /* asked when a signal has come, may be NULL */
    gpointer user_data;
} BerthE2Image;

/* Check the whole file system; with @repair what can be repaired without asking is. */
bool berth_e2tools_check(const BerthE2Image *image, bool repair, GError **error);

/* The same, with repair, for an image whose superblock is lost: from its first copy, where images
 * with blocks of 4096 bytes have it. */
bool berth_e2tools_restore(const BerthE2Image *image, GError **error);

/* The least size it can be made, bytes. */
bool berth_e2tools_minimum(const BerthE2Image *image, guint64 *ret_size, GError **error);

/* Make the file system @size bytes, a multiple of 1024; the file's size is the caller's. */
bool berth_e2tools_resize(const BerthE2Image *image, guint64 size, GError **error);

G_END_DECLS
