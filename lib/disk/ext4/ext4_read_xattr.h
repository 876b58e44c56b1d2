/* SPDX-License-Identifier: MIT
 *
 * ext4_read_xattr — decodes an inode's extended attributes and ACLs from ext4's formats.
 *
 * They are stored after the inode's fields, in a block, or (large values) in inodes of their own.
 * ACLs are returned in the kernel's xattr form. Private to ext4_read.c and its parts.
 */
#pragma once

#include "ext4_io.h"

#include "disk/tree/entry.h"

G_BEGIN_DECLS

/* Add the attributes of inode @number to @entry, unordered. @inode has the file system's inode
 * size. *dropped counts attributes of namespaces that archives do not carry. */
errcode_t berth_ext4_read_xattr(ext2_filsys fs, guint32 number,
                                const struct ext2_inode_large *inode, BerthEntry *entry,
                                guint *dropped);

G_END_DECLS
