/* SPDX-License-Identifier: MIT
 *
 * ext4_private — what ext4.c, which takes the files' bytes, and ext4_finish.c, which writes all the
 * rest, have in common. Private to these two.
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

#define BERTH_EXT4_RESERVED_FILES 9U /* of the first 11 inodes: all but the root and lost+found */

struct BerthExt4 {
    ext2_filsys fs;
    int fd;
    BerthBlocks *blocks;
    char *label; /* what is being done, for messages */
    bool inodes_given;

    GArray *extents; /* BerthExtent; an inode's are in one piece */

    BerthInode *file;
    guint64 next_offset;
    guint8 *partial; /* one block being put together, or none: partial_size is 0 */
    guint64 partial_block;
    guint partial_size;

    /* While finishing. */
    BerthTree *tree;
    BerthTable *table;
    GHashTable *sharings; /* the tree's array of attributes -> Sharing */
};

/* Set @error from an errno or an error of libext2fs. Always false. */
bool berth_ext4_fail(const BerthExt4 *ext4, errcode_t code, GError **error);

/* Begin the data of @inode, which gives back what it had; end it as that of a file. */
void berth_ext4_begin_data(BerthExt4 *ext4, BerthInode *inode);
void berth_ext4_release_extents(BerthExt4 *ext4, BerthInode *inode);

G_END_DECLS
