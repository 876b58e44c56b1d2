/* SPDX-License-Identifier: MIT
 *
 * tree_walk — from a path to a directory of the tree, through symbolic links that never lead out of
 * it. Private to tree*.c.
 */
#pragma once

#include "tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_WALK_HOPS_MAX 40U

typedef struct {
    BerthTree *tree;
    guint hops; /* symbolic links followed so far */
    bool touch; /* what is passed through belongs to the current layer */
} BerthWalk;

/* The directory that the @length bytes at @path name, from @from. @create: what is missing is made,
 * though never what a link's target names. Recursion is only through links, so never deep. */
BerthInode *berth_walk(BerthWalk *state, BerthInode *from, const char *path, gsize length,
                       bool create, GError **error);

G_END_DECLS
