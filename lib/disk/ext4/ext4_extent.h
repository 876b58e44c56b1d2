/* SPDX-License-Identifier: MIT
 *
 * ext4_extent — builds the extent tree of a finished inode bottom-up in one pass. Private to
 * ext4*.c.
 *
 * The inode holds up to four entries. More extents go to leaf blocks of 340, indexed level by level
 * until four entries suffice; each block ends in a checksum. Format: "Extent Tree" in the kernel's
 * ext4 documentation.
 */
#pragma once

#include "ext4_blocks.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_EXTENT_BLOCKS_MAX 32768U
#define BERTH_EXTENT_ROOT_SIZE  60U /* i_block */

typedef struct {
    guint64 physical;
    guint32 logical;
    guint32 count; /* at most BERTH_EXTENT_BLOCKS_MAX */
} BerthExtent;

/* Build the tree of @count sorted @extents into @root and allocated blocks; *ret_blocks is the
 * number of blocks. */
errcode_t berth_extent_build(ext2_filsys fs, BerthBlocks *blocks, guint32 inode,
                             const BerthExtent *extents, guint count,
                             guint8 root[BERTH_EXTENT_ROOT_SIZE], guint64 *ret_blocks);

G_END_DECLS
