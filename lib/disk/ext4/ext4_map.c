/* SPDX-License-Identifier: MIT */
#include "ext4_map.h"

#include <string.h>

#define DEPTH_MAX      5U      /* the kernel's */
#define UNWRITTEN_FROM 0x8000U /* longer extents are allocated, but read as zeros */

typedef struct {
    ext2_filsys fs;
    guint32 number;
    guint64 size;
    GArray *runs;
} Map;

/* The range of a node: blocks [first, end) of the file. */
typedef struct {
    guint depth;
    guint64 first;
    guint64 end;
} Range;

static bool is_inside(const Map *map, guint64 block, guint64 count)
{
    const struct ext2_super_block *super = map->fs->super;
    guint64 total = ext2fs_blocks_count((struct ext2_super_block *)super);
    return block > super->s_first_data_block && count <= total && block <= total - count;
}

static void add_run(Map *map, guint64 logical, guint64 physical, guint64 count)
{
    guint block_size = map->fs->blocksize;
    BerthDataRun run = {logical * block_size, physical * block_size, count * block_size};
    if (run.offset >= map->size)
        return; /* preallocated beyond the file's end */
    run.length = MIN(run.length, map->size - run.offset);

    BerthDataRun *last =
        map->runs->len == 0 ? NULL : &g_array_index(map->runs, BerthDataRun, map->runs->len - 1);
    if (last != NULL && last->offset + last->length == run.offset &&
        last->position + last->length == run.position)
        last->length += run.length;
    else
        g_array_append_val(map->runs, run);
}

static errcode_t map_leaf(Map *map, const struct ext3_extent_header *header, Range range)
{
    const struct ext3_extent *extents = (const void *)(header + 1);
    guint64 next = range.first;
    for (guint i = 0; i < GUINT16_FROM_LE(header->eh_entries); i++) {
        const struct ext3_extent *extent = &extents[i];
        guint64 logical = GUINT32_FROM_LE(extent->ee_block);
        guint length = GUINT16_FROM_LE(extent->ee_len);
        guint64 physical =
            GUINT32_FROM_LE(extent->ee_start) | (guint64)GUINT16_FROM_LE(extent->ee_start_hi) << 32;
        bool written = length <= UNWRITTEN_FROM;
        if (!written)
            length -= UNWRITTEN_FROM;
        if (length == 0 || logical < next || logical + length > range.end)
            return EXT2_ET_EXTENT_INVALID_LENGTH;
        if (!is_inside(map, physical, length))
            return EXT2_ET_BAD_BLOCK_NUM;
        if (written)
            add_run(map, logical, physical, length);
        next = logical + length;
    }
    return 0;
}

static bool is_sound(const struct ext3_extent_header *header, gsize room, guint depth)
{
    guint most = GUINT16_FROM_LE(header->eh_max);
    return GUINT16_FROM_LE(header->eh_magic) == EXT3_EXT_MAGIC &&
           GUINT16_FROM_LE(header->eh_depth) == depth &&
           GUINT16_FROM_LE(header->eh_entries) <= most &&
           sizeof(*header) + most * sizeof(struct ext3_extent) <= room;
}

static errcode_t map_node(Map *map, const struct ext3_extent_header *header, Range range);

static errcode_t map_child(Map *map, guint64 block, Range range)
{
    if (!is_inside(map, block, 1))
        return EXT2_ET_BAD_BLOCK_NUM;
    guint block_size = map->fs->blocksize;
    g_autofree struct ext3_extent_header *header = g_malloc(block_size);
    errcode_t code = berth_ext4_io_read(map->fs, block * block_size, header, block_size);
    if (code != 0)
        return code;
    if (!is_sound(header, block_size - sizeof(struct ext3_extent_tail), range.depth) ||
        header->eh_entries == 0)
        return EXT2_ET_EXTENT_HEADER_BAD;
    if (!ext2fs_extent_block_csum_verify(map->fs, map->number, header))
        return EXT2_ET_EXTENT_CSUM_INVALID;
    return map_node(map, header, range);
}

/* Recursion is at most DEPTH_MAX deep: each level must be one less than the one above. */
static errcode_t map_node(Map *map, const struct ext3_extent_header *header, Range range)
{
    if (range.depth == 0)
        return map_leaf(map, header, range);

    const struct ext3_extent_idx *index = (const void *)(header + 1);
    guint count = GUINT16_FROM_LE(header->eh_entries);
    guint64 next = range.first;
    for (guint i = 0; i < count; i++) {
        guint64 first = GUINT32_FROM_LE(index[i].ei_block);
        guint64 end = i + 1 < count ? GUINT32_FROM_LE(index[i + 1].ei_block) : range.end;
        if (first < next || first >= end || end > range.end)
            return EXT2_ET_EXTENT_INVALID_LENGTH;
        next = end;

        guint64 block =
            GUINT32_FROM_LE(index[i].ei_leaf) | (guint64)GUINT16_FROM_LE(index[i].ei_leaf_hi) << 32;
        errcode_t code = map_child(map, block, (Range){range.depth - 1, first, end});
        if (code != 0)
            return code;
    }
    return 0;
}

errcode_t berth_ext4_map(ext2_filsys fs, guint32 number, const struct ext2_inode *inode,
                         guint64 size, GArray **ret_runs)
{
    if ((inode->i_flags & EXT4_EXTENTS_FL) == 0)
        return EXT2_ET_INODE_NOT_EXTENT;

    const struct ext3_extent_header *header = (const void *)inode->i_block;
    guint depth = GUINT16_FROM_LE(header->eh_depth);
    if (depth > DEPTH_MAX || !is_sound(header, sizeof(inode->i_block), depth))
        return EXT2_ET_EXTENT_HEADER_BAD;

    g_autoptr(GArray) runs = g_array_new(false, false, sizeof(BerthDataRun));
    Map map = {.fs = fs, .number = number, .size = size, .runs = runs};
    errcode_t code = map_node(&map, header, (Range){depth, 0, G_GUINT64_CONSTANT(1) << 32});
    if (code == 0)
        *ret_runs = g_steal_pointer(&runs);
    return code;
}

errcode_t berth_ext4_map_read(ext2_filsys fs, const GArray *runs, void *buffer, gsize size)
{
    memset(buffer, 0, size);
    for (guint i = 0; i < runs->len; i++) {
        const BerthDataRun *run = &g_array_index(runs, BerthDataRun, i);
        if (run->offset >= size)
            break;
        errcode_t code = berth_ext4_io_read(fs, run->position, (guint8 *)buffer + run->offset,
                                            MIN(run->length, size - run->offset));
        if (code != 0)
            return code;
    }
    return 0;
}
