/* SPDX-License-Identifier: MIT
 *
 * ext4 — writes a fresh ext4 file system into a file. With its parts ext4_*.c the only user of
 * libext2fs.
 *
 * The order of calls: new; then for every file begin_file, write..., end_file as its bytes arrive;
 * finish with the whole tree. Data goes out at once, packed end to end in order of arrival, from
 * one staging buffer in large writes; all-zero blocks become holes. Inodes, directories and links
 * are written once, in finish(), from the tree, so that replacing and linking cost nothing before.
 * In a file with very many extents short holes are written as zeros, to bound memory. The
 * superblock comes last: what a crash leaves behind never mounts.
 *
 * The same archive and options make the same bytes: UUID and hash seed come from the tree. Two
 * distros of one archive thus share a UUID, as a clone and its original do; ext4 mounts both beside
 * each other, and berth names disks by file, never by UUID.
 *
 * Features are those of Debian 12's mkfs.ext4, less what older e2fsprogs refuse; 4 KiB blocks,
 * 256-byte inodes, no reserved blocks, a journal of at most 64 MiB that takes no host space until
 * used.
 *
 * Ownership: the image fd is borrowed and must stay open until berth_ext4_free(). Freeing an
 * unfinished writer leaves an image without a superblock.
 *
 * Errors: ids "import.unpack.*". Messages begin with the failed operation ("unpack usr/bin/sudo:
 * ...").
 */
#pragma once

#include "disk/tree/tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_EXT4_SIZE_MIN (G_GUINT64_CONSTANT(64) << 20)

typedef struct BerthExt4 BerthExt4;

typedef struct {
    guint64 size;   /* apparent bytes, at least BERTH_EXT4_SIZE_MIN */
    guint64 inodes; /* number of files to make room for; 0: derived from the size */
} BerthExt4Options;

/* Lay out a file system in the empty sparse file @fd, opened read-write. */
BerthExt4 *berth_ext4_new(int fd, const BerthExt4Options *options, GError **error);
void berth_ext4_free(BerthExt4 *ext4);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthExt4, berth_ext4_free)

/* The number of files that the image can hold: the limit for the tree's files_max. */
guint32 berth_ext4_files_max(const BerthExt4 *ext4);

/* Bytes of data that still fit. */
guint64 berth_ext4_free_space(const BerthExt4 *ext4);

/* Begin the data of @file, @size bytes, replacing earlier data; @path is for messages. Unless
 * @sparse, fails at once when @size does not fit. */
bool berth_ext4_begin_file(BerthExt4 *ext4, BerthInode *file, const char *path, guint64 size,
                           bool sparse, GError **error);

/* Write bytes at @offset. Offsets increase and stay within the size; gaps are holes. */
bool berth_ext4_write(BerthExt4 *ext4, guint64 offset, const void *data, gsize size,
                      GError **error);
bool berth_ext4_end_file(BerthExt4 *ext4, GError **error);

/* Write all metadata. The image is complete after this, but not synced. */
bool berth_ext4_finish(BerthExt4 *ext4, BerthTree *tree, GError **error);

G_END_DECLS
