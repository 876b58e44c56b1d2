/* SPDX-License-Identifier: MIT
 *
 * ext4_check — whether an image that somebody else made can be a distro's disk.
 *
 * Looks at the superblock, the checksums and places of the block groups, and the root directory; it
 * reads no file and repairs nothing: that is e2fsck's work, which the errors ask for. An image is
 * accepted when its file system is whole and says of itself that it is in order; a journal that has
 * to be replayed is in order, the guest's kernel does so.
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
bool berth_ext4_probe(const guint8 *head, gsize size);

/* Look at the image @fd, which is called @name in messages. Nothing is written, no path opened. */
bool berth_ext4_check(int fd, const char *name, BerthExt4Facts *ret_facts, GError **error);

G_END_DECLS
