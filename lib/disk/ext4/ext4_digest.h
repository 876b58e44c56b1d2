/* SPDX-License-Identifier: MIT
 *
 * ext4_digest — a digest of a tree, from which UUID and hash seed are derived.
 *
 * It covers everything but file contents: reading 700 MB again would cost more than the rest of an
 * import. Inodes must be numbered. Private to ext4*.c.
 */
#pragma once

#include "disk/tree/tree.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_EXT4_DIGEST_SIZE 32U /* SHA-256 */

/* Independent of the sizes of disk and inode table: manage/twin.h recognises copies by it. */
void berth_ext4_digest(const BerthTree *tree, guint8 ret_digest[BERTH_EXT4_DIGEST_SIZE]);

G_END_DECLS
