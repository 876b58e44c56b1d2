/* SPDX-License-Identifier: MIT
 *
 * ext4_digest — a digest of a tree, from which UUID and hash seed are derived.
 *
 * It covers everything but the files' bytes: reading 700 MB once more would cost more than the rest
 * of an import. Inodes must have their numbers. Private to ext4*.c.
 */
#pragma once

#include "disk/tree/tree.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_EXT4_DIGEST_SIZE 32U /* SHA-256 */

/* The same for all sizes of the disk and its inode table: manage/twin.h knows a copy by it. */
void berth_ext4_digest(const BerthTree *tree, guint8 ret_digest[BERTH_EXT4_DIGEST_SIZE]);

G_END_DECLS
