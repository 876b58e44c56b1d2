/* SPDX-License-Identifier: MIT
 *
 * e2tools — runs the host's e2fsck and resize2fs on an image, for work that libext2fs has no
 * function for. The programs get a descriptor and die with their parent.
 *
 * A crash in the middle of either corrupts the image, so callers pass copies of sound images.
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
    const char *what;           /* its name in messages */
    BerthProgressFunc progress; /* polled for cancellation after a signal; may be NULL */
    gpointer user_data;
} BerthE2Image;

/* Check the whole file system; with @repair, fix what e2fsck fixes without asking (-p). */
bool berth_e2tools_check(const BerthE2Image *image, bool repair, GError **error);

/* Check and repair an image whose superblock is lost, from the first backup superblock of a file
 * system with 4096-byte blocks. */
bool berth_e2tools_restore(const BerthE2Image *image, GError **error);

/* The minimum size resize2fs can shrink it to, bytes. */
bool berth_e2tools_minimum(const BerthE2Image *image, guint64 *ret_size, GError **error);

/* Resize the file system to @size bytes, a multiple of 1024. The caller sets the file's size. */
bool berth_e2tools_resize(const BerthE2Image *image, guint64 size, GError **error);

G_END_DECLS
