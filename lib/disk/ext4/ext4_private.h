/* SPDX-License-Identifier: MIT
 *
 * ext4_private — shared by ext4.c, which writes file data, and ext4_finish.c, which writes the
 * metadata. Private to these two.
 */
#pragma once

#include "ext4.h"
#include "ext4_blocks.h"
#include "ext4_extent.h"
#include "ext4_table.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>

G_BEGIN_DECLS

#define BERTH_EXT4_RESERVED_FILES 9U /* of the first 11 inodes, all but the root and lost+found */

struct BerthExt4 {
    ext2_filsys fs;
    int fd;
    BerthBlocks *blocks;
    char *label; /* the operation, for messages */
    bool inodes_given;

    GArray *extents; /* BerthExtent; those of one inode are adjacent */

    BerthInode *file;
    guint64 next_offset;
    guint8 *partial; /* a block being assembled; none if partial_size is 0 */
    guint64 partial_block;
    guint partial_size;

    /* Set during berth_ext4_finish(): */
    BerthTree *tree;
    BerthExt4Table *table;
    GHashTable *sharings; /* the tree's array of attributes -> Sharing */
};

/* Set @error from an errno or an error of libext2fs. Returns false. */
bool berth_ext4_fail(const BerthExt4 *ext4, errcode_t code, GError **error);

/* Begin the data of @inode, releasing its previous blocks; end it with berth_ext4_end_file(). */
void berth_ext4_begin_data(BerthExt4 *ext4, BerthInode *inode);
void berth_ext4_release_extents(BerthExt4 *ext4, BerthInode *inode);

G_END_DECLS
