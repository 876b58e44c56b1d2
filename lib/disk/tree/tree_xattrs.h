/* SPDX-License-Identifier: MIT
 *
 * tree_xattrs — the extended attributes of a tree's inodes: interns equal sets and keeps ACL lines
 * whose name has no id yet. Private to tree*.c.
 */
#pragma once

#include "tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

void berth_tree_xattrs_init(BerthTree *tree);
void berth_tree_xattrs_clear(BerthTree *tree);

/* Set the attributes of @inode to the interned copy of @xattrs. @xattrs may be NULL. */
bool berth_tree_xattrs_set(BerthTree *tree, BerthInode *inode, GArray *xattrs, GError **error);

/* Keep @names (BerthAclName, or NULL) until berth_tree_resolve_acl_names(), or drop those of @inode
 * because a later entry describes the same directory. */
void berth_tree_xattrs_remember_acl_names(BerthTree *tree, BerthInode *inode, const GArray *names);
void berth_tree_xattrs_forget_acl_names(BerthTree *tree, const BerthInode *inode);

G_END_DECLS
