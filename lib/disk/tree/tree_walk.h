/* SPDX-License-Identifier: MIT
 *
 * tree_walk — resolves a path to a directory; symbolic links cannot escape the tree. Private to
 * tree*.c.
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
    bool touch; /* traversed names join the current layer */
} BerthWalk;

/* Resolve @length bytes of @path from @from. @create makes missing directories, except in a link's
 * target. Recurses once per symbolic link, at most BERTH_WALK_HOPS_MAX deep. */
BerthInode *berth_walk(BerthWalk *state, BerthInode *from, const char *path, gsize length,
                       bool create, GError **error);

G_END_DECLS
