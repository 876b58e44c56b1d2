/* SPDX-License-Identifier: MIT
 *
 * ext4_table — writes the inode tables in order, many inodes at a time. Private to ext4*.c.
 *
 * Numbers must ascend. Skipped inodes read as zeros: unused.
 */
#pragma once

#include "ext4_inode.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthExt4Table BerthExt4Table;

BerthExt4Table *berth_ext4_table_new(ext2_filsys fs);
void berth_ext4_table_free(BerthExt4Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthExt4Table, berth_ext4_table_free)

/* Add inode @number and set the checksum of @raw. Returns 0, an errno or an error of libext2fs. */
errcode_t berth_ext4_table_put(BerthExt4Table *table, guint32 number, BerthRawInode *raw);

/* Flush the last inodes. */
errcode_t berth_ext4_table_finish(BerthExt4Table *table);

G_END_DECLS
