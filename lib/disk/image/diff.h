/* SPDX-License-Identifier: MIT
 *
 * diff — finds the files that two images of a distro do not have in common.
 *
 *     two images -> two ext4_read (entries in the same order) -> merged -> records (difference.h)
 *
 * Compares types, modes, owners, device numbers, targets of links, extended attributes, ACLs and
 * content; no times, and which names are links to one file neither. It reads the content of every
 * two files of equal size: inode numbers and times prove nothing, since root in the distro can set
 * both, and a write within one tick of the clock changes no time. Holes are not read.
 *
 * The images are untrusted (ext4_read). Memory is that of two readers: the names of the directories
 * above the current file, and of files with several names. Blocking. Errors: those of ext4_read,
 * with the image's name in front; "export.write.*" (the output); BERTH_ERROR_CANCELLED,
 * "diff.cancelled".
 */
#pragma once

#include "base/progress.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int fd;           /* borrowed; only read */
    const char *name; /* in messages */
} BerthDiffImage;

/* Write a record to @output for each difference, in the order of ext4_read. @progress counts
 * compared bytes of both images, and may be NULL. *@ret_entries: files of both. */
bool berth_diff_images(const BerthDiffImage *old, const BerthDiffImage *new, int output,
                       BerthProgressFunc progress, gpointer user_data, guint64 *ret_entries,
                       GError **error);

G_END_DECLS
