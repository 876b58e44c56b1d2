/* SPDX-License-Identifier: MIT
 *
 * initramfs — adds files to berth's initramfs by appending a second archive, which the kernel
 * unpacks over the first.
 */
#pragma once

#include "store/layout.h"

G_BEGIN_DECLS

/* A file in a directory of its own at the root. Borrowed. */
typedef struct {
    const char *directory; /* "rescue" */
    guint directory_mode;  /* permissions */
    const char *name;      /* in it */
    guint mode;            /* permissions */
    const char *data;
    gsize size; /* bytes */
} BerthInitramfsFile;

/* Write the initramfs with @file to @path, for this user only.
 * Errors: BERTH_ERROR_FAILED, "initramfs.read" and "initramfs.write". */
bool berth_initramfs_write(const BerthLayout *layout, const BerthInitramfsFile *file,
                           const char *path, GError **error);

G_END_DECLS
