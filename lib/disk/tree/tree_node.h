/* SPDX-License-Identifier: MIT
 *
 * tree_node — inodes of a tree and the names that lead to them. Private to tree*.c: here the counts
 * of links, of files and of subdirectories are kept right.
 */
#pragma once

#include "tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* An inode without a name. NULL when the tree has as many files as it may. */
BerthInode *berth_node_new(BerthTree *tree, mode_t mode, GError **error);

/* The record of the name @text, or NULL when nothing has it. */
BerthName *berth_node_find(const BerthInode *directory, const char *text, gsize length);

/* Give @inode a name that is free; take one away. */
void berth_node_link(BerthInode *directory, const char *text, gsize length, BerthInode *inode);
void berth_node_unlink(BerthInode *directory, BerthName *name);

/* Take away the names in @directory of layers before @layer, with all below them. What is of @layer
 * itself stays, and so do the directories it is in. */
void berth_node_remove_below(BerthInode *directory, guint16 layer);

G_END_DECLS
