/* SPDX-License-Identifier: MIT */
#include "ext4_table.h"

#include "dirblock.h"

#include <string.h>

#define PER_BLOCK   (BERTH_BLOCK_SIZE / BERTH_EXT4_INODE_SIZE)
#define WINDOW_SIZE (64U * PER_BLOCK) /* 256 KiB */

struct BerthExt4Table {
    ext2_filsys fs;
    guint8 *window;
    guint32 first; /* the number of its first inode */
    guint32 end;   /* one after the last number put; `first` if none */
};

BerthExt4Table *berth_ext4_table_new(ext2_filsys fs)
{
    BerthExt4Table *table = g_new0(BerthExt4Table, 1);
    table->fs = fs;
    table->window = g_malloc0(WINDOW_SIZE * BERTH_EXT4_INODE_SIZE);
    table->first = table->end = 1;
    return table;
}

void berth_ext4_table_free(BerthExt4Table *table)
{
    if (table == NULL)
        return;
    g_free(table->window);
    g_free(table);
}

/* Write through libext2fs, which may have cached the table's first blocks. */
static errcode_t flush(BerthExt4Table *table)
{
    guint32 count = (table->end - table->first + PER_BLOCK - 1) / PER_BLOCK;
    if (count == 0)
        return 0;
    guint32 per_group = table->fs->super->s_inodes_per_group;
    guint32 group = (table->first - 1) / per_group;
    guint32 at = (table->first - 1) % per_group / PER_BLOCK;
    guint64 block = ext2fs_inode_table_loc(table->fs, group) + at;
    errcode_t code = io_channel_write_blk64(table->fs->io, block, (int)count, table->window);
    memset(table->window, 0, (gsize)count * BERTH_BLOCK_SIZE);
    return code;
}

/* The end of the window, which consists of whole blocks of one group. */
static guint32 window_end(const BerthExt4Table *table)
{
    guint32 per_group = table->fs->super->s_inodes_per_group;
    guint32 group_end = ((table->first - 1) / per_group + 1) * per_group + 1;
    return MIN(table->first + WINDOW_SIZE, group_end);
}

errcode_t berth_ext4_table_put(BerthExt4Table *table, guint32 number, BerthRawInode *raw)
{
    g_assert(number >= table->end);
    if (number >= window_end(table)) {
        errcode_t code = flush(table);
        if (code != 0)
            return code;
        table->first = number - (number - 1) % PER_BLOCK;
    }
    errcode_t code = ext2fs_inode_csum_set(table->fs, number, &raw->fields);
    memcpy(table->window + (gsize)(number - table->first) * BERTH_EXT4_INODE_SIZE, raw,
           BERTH_EXT4_INODE_SIZE);
    table->end = number + 1;
    return code;
}

errcode_t berth_ext4_table_finish(BerthExt4Table *table)
{
    errcode_t code = flush(table);
    table->first = table->end;
    return code;
}
