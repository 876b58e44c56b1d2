/* SPDX-License-Identifier: MIT */
#include "ext4_blocks.h"

#include "dirblock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/vfs.h>
#include <unistd.h>

#define STAGE_BLOCKS   64U    /* 256 KiB: what the host's page cache takes at once */
#define RESERVE_BLOCKS 16384U /* 64 MiB: reserved in the bitmap and on the host at a time */
#define SYNC_STEP      (G_GUINT64_CONSTANT(64) << 20)
/* Bytes free on the host below which nothing is reserved there: the rest must go to what is needed.
 */
#define HOST_FREE_MIN (G_GUINT64_CONSTANT(1) << 30)

typedef struct {
    guint64 number;
    guint32 count;
} Run;

struct BerthBlocks {
    ext2_filsys fs;
    int fd;

    guint64 cursor; /* where the search for free blocks continues */
    guint64 reserved;
    guint64 reserved_end;
    bool on_host;     /* the host's disk has room for the reserved blocks, too */
    GArray *released; /* Run */

    guint8 *stage;
    guint64 stage_first;
    guint stage_count;
    guint64 unsynced;
};

BerthBlocks *berth_blocks_new(ext2_filsys fs, int fd)
{
    BerthBlocks *blocks = g_new0(BerthBlocks, 1);
    blocks->fs = fs;
    blocks->fd = fd;
    blocks->cursor = fs->super->s_first_data_block;
    blocks->released = g_array_new(false, false, sizeof(Run));
    blocks->stage = g_malloc(STAGE_BLOCKS * BERTH_BLOCK_SIZE);
    return blocks;
}

void berth_blocks_free(BerthBlocks *blocks)
{
    if (blocks == NULL)
        return;
    g_array_unref(blocks->released);
    g_free(blocks->stage);
    g_free(blocks);
}

guint64 berth_blocks_available(const BerthBlocks *blocks)
{
    guint64 reserved = blocks->reserved_end - blocks->reserved;
    return ext2fs_free_blocks_count(blocks->fs->super) + reserved;
}

/* Start the write-out early, so that the sync at the end is short. Only a hint. */
static void hint_sync(BerthBlocks *blocks, guint64 written)
{
    blocks->unsynced += written;
    if (blocks->unsynced < SYNC_STEP)
        return;
    sync_file_range(blocks->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    blocks->unsynced = 0;
}

errcode_t berth_blocks_flush(BerthBlocks *blocks)
{
    const guint8 *next = blocks->stage;
    guint64 left = (guint64)blocks->stage_count * BERTH_BLOCK_SIZE;
    guint64 at = blocks->stage_first * BERTH_BLOCK_SIZE;
    hint_sync(blocks, left);
    while (left > 0) {
        ssize_t written = pwrite(blocks->fd, next, left, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        next += written;
        at += (guint64)written;
        left -= (guint64)written;
    }
    blocks->stage_count = 0;
    return 0;
}

static bool find_free(const BerthBlocks *blocks, guint64 from, guint64 end, guint64 *ret_first)
{
    blk64_t first = 0;
    if (from >= end ||
        ext2fs_find_first_zero_block_bitmap2(blocks->fs->block_map, from, end - 1, &first) != 0)
        return false;
    *ret_first = first;
    return true;
}

/* Only saves host space, so failure is harmless. */
static void punch(const BerthBlocks *blocks, guint64 number, guint64 count)
{
    fallocate(blocks->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (off_t)(number * BERTH_BLOCK_SIZE), (off_t)(count * BERTH_BLOCK_SIZE));
}

/* Have the host allocate the reserved run in one step. A buffered write of ext4 finds and charges
 * each block alone otherwise, for a quarter of an import's processor time. Not elsewhere: XFS does
 * not do so, tmpfs would clear the memory, and btrfs not compress it. */
static void reserve_on_host(BerthBlocks *blocks)
{
    struct statfs host;
    off_t at = (off_t)(blocks->reserved * BERTH_BLOCK_SIZE);
    guint64 count = blocks->reserved_end - blocks->reserved;
    blocks->on_host = fstatfs(blocks->fd, &host) == 0 && host.f_type == EXT4_SUPER_MAGIC &&
                      (guint64)host.f_bavail * (guint64)host.f_bsize >= HOST_FREE_MIN;
    if (!blocks->on_host ||
        fallocate(blocks->fd, FALLOC_FL_KEEP_SIZE, at, (off_t)(count * BERTH_BLOCK_SIZE)) == 0)
        return;
    punch(blocks, blocks->reserved, count); /* what a quota let through */
    blocks->on_host = false;
}

/* Reserve the next free run in the bitmap. */
static bool reserve(BerthBlocks *blocks)
{
    guint64 end = ext2fs_blocks_count(blocks->fs->super);
    guint64 first = 0;
    if (!find_free(blocks, blocks->cursor, end, &first) &&
        !find_free(blocks, 0, blocks->cursor, &first))
        return false;

    blk64_t stop = MIN(first + RESERVE_BLOCKS, end);
    blk64_t used = 0;
    if (ext2fs_find_first_set_block_bitmap2(blocks->fs->block_map, first, stop - 1, &used) == 0)
        stop = used;
    ext2fs_block_alloc_stats_range(blocks->fs, first, (blk_t)(stop - first), +1);
    blocks->reserved = first;
    blocks->reserved_end = blocks->cursor = stop;
    reserve_on_host(blocks);
    return true;
}

errcode_t berth_blocks_allocate(BerthBlocks *blocks, guint8 **ret_data, guint64 *ret_number)
{
    if (blocks->reserved == blocks->reserved_end && !reserve(blocks))
        return EXT2_ET_BLOCK_ALLOC_FAIL;

    bool follows = blocks->stage_first + blocks->stage_count == blocks->reserved;
    bool ends = blocks->reserved % STAGE_BLOCKS == 0; /* aligned: a write costs a tenth less */
    if (!follows || ends) {
        errcode_t code = berth_blocks_flush(blocks);
        if (code != 0)
            return code;
    }
    if (blocks->stage_count == 0)
        blocks->stage_first = blocks->reserved;
    *ret_data = blocks->stage + (gsize)blocks->stage_count++ * BERTH_BLOCK_SIZE;
    *ret_number = blocks->reserved++;
    return 0;
}

void berth_blocks_release(BerthBlocks *blocks, guint64 number, guint32 count)
{
    Run run = {.number = number, .count = count};
    g_array_append_val(blocks->released, run);
}

errcode_t berth_blocks_finish(BerthBlocks *blocks)
{
    errcode_t code = berth_blocks_flush(blocks);
    if (code != 0)
        return code;
    guint64 rest = blocks->reserved_end - blocks->reserved;
    if (rest > 0)
        ext2fs_block_alloc_stats_range(blocks->fs, blocks->reserved, (blk_t)rest, -1);
    if (rest > 0 && blocks->on_host)
        punch(blocks, blocks->reserved, rest);
    blocks->reserved = blocks->reserved_end = 0;

    for (guint i = 0; i < blocks->released->len; i++) {
        const Run *run = &g_array_index(blocks->released, Run, i);
        ext2fs_block_alloc_stats_range(blocks->fs, run->number, run->count, -1);
        punch(blocks, run->number, run->count);
    }
    g_array_set_size(blocks->released, 0);
    return 0;
}
