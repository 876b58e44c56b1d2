/* SPDX-License-Identifier: MIT */
#include "ext4_extent.h"

#include "base/le.h"
#include "dirblock.h"

#include <string.h>

#define MAGIC         0xf30a
#define HEADER_SIZE   12U
#define ENTRY_SIZE    12U /* leaf and index entries alike; both begin with the logical block */
#define ROOT_ENTRIES  ((BERTH_EXTENT_ROOT_SIZE - HEADER_SIZE) / ENTRY_SIZE)
#define BLOCK_ENTRIES ((BERTH_BLOCK_SIZE - HEADER_SIZE) / ENTRY_SIZE)
#define TAIL_AT       (HEADER_SIZE + BLOCK_ENTRIES * ENTRY_SIZE)

static void put_header(guint8 *at, guint entries, guint limit, guint depth)
{
    berth_le_put16(at, MAGIC);
    berth_le_put16(at + 2, entries);
    berth_le_put16(at + 4, limit);
    berth_le_put16(at + 6, depth);
    berth_le_put32(at + 8, 0);
}

static void put_leaf(guint8 *at, const BerthExtent *extent)
{
    berth_le_put32(at, extent->logical);
    berth_le_put16(at + 4, extent->count);
    berth_le_put16(at + 6, (guint)(extent->physical >> 32));
    berth_le_put32(at + 8, (guint32)extent->physical);
}

static void put_index(guint8 *at, const guint8 *first_below, guint64 block)
{
    memcpy(at, first_below, 4);
    berth_le_put32(at + 4, (guint32)block);
    berth_le_put16(at + 8, (guint)(block >> 32));
    berth_le_put16(at + 10, 0);
}

/* The checksum covers the seed, the inode, the generation (0) and the block up to the tail. */
static void put_checksum(ext2_filsys fs, guint32 inode, guint8 *block)
{
    guint8 owner[8] = {0};
    berth_le_put32(owner, inode);
    guint32 sum = ext2fs_crc32c_le(fs->csum_seed, owner, sizeof(owner));
    berth_le_put32(block + TAIL_AT, ext2fs_crc32c_le(sum, block, TAIL_AT));
}

/* Write @count entries into blocks of @depth; replace them by one index entry per block. */
static errcode_t build_level(ext2_filsys fs, BerthBlocks *blocks, guint32 inode, guint8 *entries,
                             guint count, guint depth)
{
    for (guint first = 0, i = 0; first < count; first += BLOCK_ENTRIES, i++) {
        guint8 *data = NULL;
        guint64 number = 0;
        errcode_t code = berth_blocks_allocate(blocks, &data, &number);
        if (code != 0)
            return code;
        guint length = MIN(BLOCK_ENTRIES, count - first);
        memset(data, 0, BERTH_BLOCK_SIZE);
        put_header(data, length, BLOCK_ENTRIES, depth);
        memcpy(data + HEADER_SIZE, entries + (gsize)first * ENTRY_SIZE, (gsize)length * ENTRY_SIZE);
        put_checksum(fs, inode, data);
        put_index(entries + (gsize)i * ENTRY_SIZE, data + HEADER_SIZE, number);
    }
    return 0;
}

errcode_t berth_extent_build(ext2_filsys fs, BerthBlocks *blocks, guint32 inode,
                             const BerthExtent *extents, guint count,
                             guint8 root[BERTH_EXTENT_ROOT_SIZE], guint64 *ret_blocks)
{
    guint8 few[ROOT_ENTRIES * ENTRY_SIZE];
    g_autofree guint8 *many = count > ROOT_ENTRIES ? g_malloc((gsize)count * ENTRY_SIZE) : NULL;
    guint8 *entries = many != NULL ? many : few;
    for (guint i = 0; i < count; i++)
        put_leaf(entries + (gsize)i * ENTRY_SIZE, &extents[i]);

    guint depth = 0;
    guint64 tree_blocks = 0;
    for (; count > ROOT_ENTRIES; depth++) {
        errcode_t code = build_level(fs, blocks, inode, entries, count, depth);
        if (code != 0)
            return code;
        count = (count + BLOCK_ENTRIES - 1) / BLOCK_ENTRIES;
        tree_blocks += count;
    }
    memset(root, 0, BERTH_EXTENT_ROOT_SIZE);
    put_header(root, count, ROOT_ENTRIES, depth);
    memcpy(root + HEADER_SIZE, entries, (gsize)count * ENTRY_SIZE);
    *ret_blocks = tree_blocks;
    return 0;
}
