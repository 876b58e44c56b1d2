/* SPDX-License-Identifier: MIT
 *
 * tree_node — inodes and their names. Maintains the counts of links, files and subdirectories.
 * Private to tree*.c.
 */
#pragma once

#include "tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* An inode without a name. NULL with @error when the tree has files_max files. */
BerthInode *berth_tree_node_new(BerthTree *tree, mode_t mode, GError **error);

/* The record of the existing name @text, or NULL. */
BerthName *berth_tree_node_find(const BerthInode *directory, const char *text, gsize length);

/* Add a name, which must be free, to @inode; remove a name. */
void berth_tree_node_link(BerthInode *directory, const char *text, gsize length, BerthInode *inode);
void berth_tree_node_unlink(BerthInode *directory, BerthName *name);

/* Recursively remove the names in @directory that belong to layers before @layer. Keeps names of
 * @layer and their parent directories. */
void berth_tree_node_remove_below(BerthInode *directory, guint16 layer);

G_END_DECLS
