/* SPDX-License-Identifier: MIT
 *
 * ext4_blocks — the block allocator of the writer: allocates sequentially and writes in large
 * pieces. Private to ext4*.c.
 *
 * Allocated blocks stay in one staging buffer until it is full or blocks are not contiguous.
 * Reserves runs of blocks in the bitmap, and on a host's ext4 with ample room also on its disk, and
 * returns the unused rest of the last run at the end.
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

/* Blocks that can still be allocated. */
guint64 berth_blocks_available(const BerthBlocks *blocks);

/* Allocate the next block: its number, and a buffer for its 4096 bytes, to be filled completely
 * before the next call of any function here. */
errcode_t berth_blocks_allocate(BerthBlocks *blocks, guint8 **ret_data, guint64 *ret_number);

/* Write the staging buffer, so that its blocks can be read back. */
errcode_t berth_blocks_flush(BerthBlocks *blocks);

/* Release @count blocks at @number. They are not reused before berth_blocks_finish(). */
void berth_blocks_release(BerthBlocks *blocks, guint64 number, guint32 count);

/* Flush, and free the released blocks, also on the host (punch holes). */
errcode_t berth_blocks_finish(BerthBlocks *blocks);

G_END_DECLS
