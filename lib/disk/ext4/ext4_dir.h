/* SPDX-License-Identifier: MIT
 *
 * ext4_dir — reads, checks and sorts the names in a directory of an image. Private to ext4_read.c
 * and its parts.
 */
#pragma once

#include "ext4_io.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;
    guint32 inode;
} BerthDirItem;

typedef struct BerthDirListing BerthDirListing;

/* Read all names of directory @number but "." and "..", sorted bytewise. *ret_listing is set on
 * success only. */
errcode_t berth_dir_listing_read(ext2_filsys fs, guint32 number, const struct ext2_inode *inode,
                                 BerthDirListing **ret_listing);
void berth_dir_listing_free(BerthDirListing *listing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDirListing, berth_dir_listing_free)

/* The @index'th item, or NULL after the last. */
const BerthDirItem *berth_dir_listing_nth(const BerthDirListing *listing, guint index);

G_END_DECLS
