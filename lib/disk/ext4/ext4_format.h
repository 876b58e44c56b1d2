/* SPDX-License-Identifier: MIT
 *
 * ext4_format — lays out an empty ext4 file system in memory, as mkfs does. Private to ext4.c.
 *
 * Deterministic: no randomness, no clock. UUID and hash seed are derived from the content; dates
 * are constant.
 *
 * Nothing but the journal's and the resize inode's few blocks is written to the file here; the
 * rest, superblock last, goes out when the file system is closed. Private to ext4.c: with it the
 * only user of libext2fs.
 */
#pragma once

#include "ext4_digest.h"
#include "ext4_inode.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>

G_BEGIN_DECLS

/* Lay out @size bytes with @inodes inodes in the empty sparse file @fd. 0, or an error of
 * libext2fs; *ret_fs may be set in either case, and is freed with ext2fs_free. */
errcode_t berth_ext4_format(int fd, guint64 size, guint32 inodes, ext2_filsys *ret_fs);

/* Give the file system the UUID and hash seed that @digest makes, and what depends on them: call it
 * before anything with a checksum is written. The two inodes that there are already are no longer
 * right; here they are, to be written again. */
errcode_t berth_ext4_identify(ext2_filsys fs, const guint8 digest[BERTH_EXT4_DIGEST_SIZE],
                              BerthRawInode *ret_resize, BerthRawInode *ret_journal);

G_END_DECLS
