/* SPDX-License-Identifier: MIT
 *
 * ext4_xattr — extended attributes as ext4 keeps them: in the inode behind its fields, and what
 * does not fit there in one block, which inodes with equal attributes share. Private to ext4*.c.
 *
 * Format: "Extended Attributes" in the kernel's ext4 documentation. ACLs are kept in a form of
 * their own (acl.h).
 */
#pragma once

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_XATTR_BODY_SIZE  96U /* of an inode of 256 bytes */
#define BERTH_XATTR_SHARES_MAX 1024U

/* Encode @xattrs (BerthXattr) into @body, and into @block what does not fit; *ret_block: that was
 * something. Both are written as a whole. Returns how many there was no room for: the user's before
 * "trusted.", that before what the system needs (ACLs, capabilities), and large ones first. */
guint berth_xattr_encode(const GArray *xattrs, guint8 body[BERTH_XATTR_BODY_SIZE], guint8 *block,
                         bool *ret_block);

/* Finish @block, which lies at @number and has @shares inodes. */
void berth_xattr_seal(ext2_filsys fs, guint8 *block, guint64 number, guint32 shares);

G_END_DECLS
