/* SPDX-License-Identifier: MIT
 *
 * ext4_check — checks whether a foreign image can be a distro's disk.
 *
 * Looks at the superblock, the checksums and places of the block groups, and the root directory;
 * reads no file and repairs nothing: errors point to e2fsck. Accepts a file system that is complete
 * and marked clean, or needs journal replay, which the guest's kernel does.
 *
 * Errors: BERTH_ERROR_INVALID, "import.in-place." and features, journal-elsewhere, has-errors,
 * not-clean, truncated, damaged, not-a-rootfs; errno's, "import.in-place.*".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    guint64 size; /* of the file system, bytes; the file may be larger */
    bool needs_recovery;
} BerthExt4Facts;

/* Whether the first @size bytes of a file, @head, hold the superblock of an ext4 image. */
bool berth_ext4_check_head(const guint8 *head, gsize size);

/* Check the image @fd; @name names it in messages. Nothing is written, no path opened. */
bool berth_ext4_check(int fd, const char *name, BerthExt4Facts *ret_facts, GError **error);

G_END_DECLS
