/* SPDX-License-Identifier: MIT
 *
 * ext4_map — reads and validates a file's extent tree.
 *
 * The image is untrusted. Each node must match its checksum and depth and stay within its parent's
 * range, so a tree can neither loop nor exceed the image. Private to ext4_read.c and its parts.
 */
#pragma once

#include "ext4_io.h"

#include "disk/tree/run.h"

G_BEGIN_DECLS

/* Read the runs of inode @number, in order, clipped to @size. *ret_runs is a GArray of
 * BerthDataRun. */
errcode_t berth_ext4_map(ext2_filsys fs, guint32 number, const struct ext2_inode *inode,
                         guint64 size, GArray **ret_runs);

/* Read the first @size bytes of a file with @runs; holes read as zeros. */
errcode_t berth_ext4_map_read(ext2_filsys fs, const GArray *runs, void *buffer, gsize size);

G_END_DECLS
