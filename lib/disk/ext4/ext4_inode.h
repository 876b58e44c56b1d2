/* SPDX-License-Identifier: MIT
 *
 * ext4_inode — encodes the fields of an inode in ext4's format. Private to ext4*.c.
 *
 * All fields but those that refer to blocks: the writer (ext4.c) sets the extent tree, the
 * attributes and the block count.
 */
#pragma once

#include "disk/tree/tree.h"

#include <ext2fs/ext2_fs.h>
#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_EXT4_INODE_SIZE       256U
#define BERTH_EXT4_FAST_SYMLINK_MAX 59U /* longer targets need a block */

/* An inode with its fields and the space after them for attributes. */
typedef union {
    struct ext2_inode_large fields;
    guint8 bytes[BERTH_EXT4_INODE_SIZE];
} BerthRawInode;

void berth_ext4_inode_fill(const BerthInode *inode, BerthRawInode *raw);

/* Whether the inode's blocks are listed in an extent tree. */
bool berth_ext4_inode_has_extents(const BerthInode *inode);

G_END_DECLS
