/* SPDX-License-Identifier: MIT
 *
 * ext4_read_xattr — an inode's extended attributes and ACLs, out of ext4's forms.
 *
 * They stand behind the inode's fields, in a block of their own, or (large values) in inodes of
 * their own. ACLs come out in the form the kernel shows them in. Private to ext4_read.c and its
 * parts.
 */
#pragma once

#include "ext4_io.h"

#include "disk/tree/entry.h"

G_BEGIN_DECLS

/* Add the attributes of inode @number to @entry, in no order. @inode has the file system's inode
 * size. *dropped counts those of namespaces no archive carries. */
errcode_t berth_ext4_read_xattrs(ext2_filsys fs, guint32 number,
                                 const struct ext2_inode_large *inode, BerthEntry *entry,
                                 guint *dropped);

G_END_DECLS
