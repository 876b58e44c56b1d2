/* SPDX-License-Identifier: MIT
 *
 * ext4_blocks — the blocks of a file system that is being filled: hands them out end to end and
 * writes them in large pieces. Private to ext4*.c.
 *
 * A block that was taken lies in one staging buffer until that is full or blocks no longer follow
 * each other. Runs of blocks are taken out of the bitmap many at a time; what was not used of the
 * last one goes back at the end.
 *
 * Errors are an errno or libext2fs's EXT2_ET_BLOCK_ALLOC_FAIL when no block is left. The file
 * system and the fd are borrowed.
 */
#pragma once

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthBlocks BerthBlocks;

BerthBlocks *berth_blocks_new(ext2_filsys fs, int fd);
void berth_blocks_free(BerthBlocks *blocks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthBlocks, berth_blocks_free)

/* How many can still be taken. */
guint64 berth_blocks_available(const BerthBlocks *blocks);

/* The next block: its number, and where to put its 4096 bytes, all of them and before the next call
 * of any function here. */
errcode_t berth_blocks_allocate(BerthBlocks *blocks, guint8 **ret_data, guint64 *ret_number);

/* Write out what was taken, so that it can be read back. */
errcode_t berth_blocks_flush(BerthBlocks *blocks);

/* Give back @count blocks at @number. They are not taken again before the end. */
void berth_blocks_release(BerthBlocks *blocks, guint64 number, guint32 count);

/* Write out everything, and make what was given back free, on the host too. */
errcode_t berth_blocks_finish(BerthBlocks *blocks);

G_END_DECLS
