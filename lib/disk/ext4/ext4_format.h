/* SPDX-License-Identifier: MIT
 *
 * ext4_format — lays out an empty ext4 file system in memory, as mkfs does. Private to ext4.c.
 *
 * Deterministic: no randomness, no clock. UUID and hash seed are derived from the content; dates
 * are constant.
 *
 * Writes only the few blocks of the journal and the resize inode; the rest is written when the file
 * system is closed, the superblock last.
 */
#pragma once

#include "ext4_digest.h"
#include "ext4_inode.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>

G_BEGIN_DECLS

/* Lay out @size bytes with @inodes inodes in the empty sparse file @fd. Returns 0, or an error of
 * libext2fs; *ret_fs may be set in either case: free with ext2fs_free. */
errcode_t berth_ext4_format(int fd, guint64 size, guint32 inodes, ext2_filsys *ret_fs);

/* Derive UUID and hash seed from @digest, and set the fields that depend on them. Call before
 * writing any checksummed block. Returns the two existing inodes, whose checksums become invalid,
 * so that the caller writes them again. */
errcode_t berth_ext4_format_identify(ext2_filsys fs, const guint8 digest[BERTH_EXT4_DIGEST_SIZE],
                                     BerthRawInode *ret_resize, BerthRawInode *ret_journal);

G_END_DECLS
