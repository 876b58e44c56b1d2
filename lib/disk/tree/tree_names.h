/* SPDX-License-Identifier: MIT
 *
 * tree_names — all names of a tree: per directory a list in order of appearance, over all of them
 * one hash table.
 *
 * Records are never freed: a removed name has inode NULL until it is added again. Lists can thus be
 * singly linked and keep the archive's order. The hash has a random key, so an archive cannot force
 * collisions.
 *
 * Ownership: records are in the arena, which must live longer. Names are bytes, 1..255 of them.
 */
#pragma once

#include "arena.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthTreeNames BerthTreeNames;
typedef struct BerthName BerthName;

typedef struct {
    BerthName *first;
    BerthName *last;
} BerthNameList;

struct BerthName {
    BerthName *next;
    const BerthNameList *list;
    struct BerthInode *inode; /* NULL: removed */
    guint32 hash;
    guint16 layer; /* the last layer that touched it */
    guint8 length;
    char text[]; /* NUL-terminated */
};

BerthTreeNames *berth_tree_names_new(BerthArena *arena);
void berth_tree_names_free(BerthTreeNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTreeNames, berth_tree_names_free)

/* The record of @text in @list, or NULL. */
BerthName *berth_tree_names_find(const BerthTreeNames *names, const BerthNameList *list,
                                 const char *text, gsize length);

/* Find or create the record. */
BerthName *berth_tree_names_add(BerthTreeNames *names, BerthNameList *list, const char *text,
                                gsize length);

G_END_DECLS
