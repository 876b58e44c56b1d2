/* SPDX-License-Identifier: MIT
 *
 * ext4_xattr — encodes extended attributes in ext4's format: in the inode body, and the rest in one
 * block, which inodes with equal attributes share. Private to ext4*.c.
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

#define BERTH_XATTR_BODY_SIZE  96U /* of a 256-byte inode */
#define BERTH_XATTR_SHARES_MAX 1024U

/* Encode @xattrs (BerthXattr) into @body, and the rest into @block; *ret_block: @block is used.
 * Overwrites both completely. Returns the number dropped for lack of room: "user." first, then
 * "trusted.", then system ones (ACLs, capabilities); large ones first. */
guint berth_ext4_xattr_encode(const GArray *xattrs, guint8 body[BERTH_XATTR_BODY_SIZE],
                              guint8 *block, bool *ret_block);

/* Set the reference count @shares and the checksum of @block at @number. */
void berth_ext4_xattr_seal(ext2_filsys fs, guint8 *block, guint64 number, guint32 shares);

G_END_DECLS
