/* SPDX-License-Identifier: MIT
 *
 * nodes — the files that the guest's kernel knows by number.
 *
 * A node is a file of the host, keyed by device, inode and birth time, and the place where it was
 * seen last: its parent's number and its name. It exists while the guest holds lookups of it or of
 * a node below it. Three kinds have a place but no lookups, and are never forgotten: the root
 * (BERTH_NODE_ROOT), the directories that only lead to a share, and the roots of shares.
 *
 * Numbers come from the guest, so every function accepts any number. The number of a forgotten node
 * is reused, as inode numbers are. With a ledger the table begins with the nodes that a former
 * server of the guest left in it, and records there what changes. A number's slot follows the
 * ledger's offset.
 *
 * Not thread-safe: the caller locks. Out of memory aborts, as everywhere with GLib.
 */
#pragma once

#include "ledger.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

G_BEGIN_DECLS

#define BERTH_NODE_ROOT 1u /* FUSE_ROOT_ID */
#define BERTH_NODE_NONE 0u

typedef struct {
    BerthNodeKey key;
    guint64 lookups;
    char *name;     /* owned; in the parent; "" for the root */
    guint64 parent; /* BERTH_NODE_NONE: it was unlinked, or is the root */
    guint64 former; /* the parent before it was unlinked */
    gint16 share;   /* index of the share whose root this is, or -1 */
    bool fixed;     /* never forgotten: the root, a way to a share, or a share's root */
    bool is_gone;   /* a directory that was watched until it was removed */
    /* It was seen by a second name; events may name either, even one that is gone. A file that the
     * guest forgets and looks up again keeps it, unless many others were forgotten meanwhile. */
    bool had_names;
    bool restored; /* a former server had it */
    bool shared;   /* fixed: a share of this server's is there or below */
    bool watched;  /* a directory: the guest may cache it without a time limit */
    guint8 type;   /* S_IFMT's bits of its mode, from bit 0 on; 0: unknown */
    int watch;     /* inotify's number for a directory that is watched, or -1 */
    guint64 children;
    guint64 next_by_key;
    guint64 next_by_name;
} BerthNode;

typedef struct BerthNodes BerthNodes;

static inline bool berth_node_key_equal(const BerthNodeKey *a, const BerthNodeKey *b)
{
    return a->inode == b->inode && a->device == b->device && a->birth_nsec == b->birth_nsec;
}

/* Called before @node is freed; must not change the table. */
typedef void (*BerthNodeFunc)(const BerthNode *node, gpointer user_data);

/* The numbers of all nodes but the root follow @offset. @ledger, which is borrowed and has the same
 * offset, may be NULL. */
BerthNodes *berth_nodes_new(guint64 offset, BerthLedger *ledger, BerthNodeFunc on_forgotten,
                            gpointer user_data);
void berth_nodes_free(BerthNodes *nodes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNodes, berth_nodes_free)

/* Make the place @path ("home/ann") the root of share @share, which is the directory @key, with the
 * directories that lead to it. Returns its number, which is the former server's if that had the
 * same directory there; or BERTH_NODE_NONE when it lies within another share or has one below. */
guint64 berth_nodes_add_share(BerthNodes *nodes, const char *path, guint share,
                              const BerthNodeKey *key);

/* All shares were added: take the places of those that are shared no more. */
void berth_nodes_settle(BerthNodes *nodes);

/* The node of @id, or NULL. Borrowed until the next call that changes the table. */
const BerthNode *berth_nodes_get(const BerthNodes *nodes, guint64 id);

/* The node last seen as @name in @parent, or BERTH_NODE_NONE. */
guint64 berth_nodes_find(const BerthNodes *nodes, guint64 parent, const char *name);

/* The node of a file, or BERTH_NODE_NONE. */
guint64 berth_nodes_find_key(const BerthNodes *nodes, const BerthNodeKey *key);

/* Record that the file @key is @name in @parent. Returns its node, with its lookup count increased.
 * A former node of that name loses its place. */
guint64 berth_nodes_look_up(BerthNodes *nodes, guint64 parent, const char *name,
                            const BerthNodeKey *key);

/* The file of @id was replaced by a copy, which is @key; any number is accepted. */
void berth_nodes_set_key(BerthNodes *nodes, guint64 id, const BerthNodeKey *key);

/* Add a lookup of @id; any number is accepted. */
void berth_nodes_hold(BerthNodes *nodes, guint64 id);

/* Record the type of @id, from its mode. */
void berth_nodes_set_type(BerthNodes *nodes, guint64 id, mode_t mode);

/* Record that the directory @id was removed, and its watch with it. */
void berth_nodes_set_gone(BerthNodes *nodes, guint64 id);

/* Drop @count lookups of @id. */
void berth_nodes_forget(BerthNodes *nodes, guint64 id, guint64 count);

/* Record that @name was removed from @parent. */
void berth_nodes_remove(BerthNodes *nodes, guint64 parent, const char *name);

/* Record that @name in @parent became @new_name in @new_parent; with @swap, and the reverse. */
void berth_nodes_rename(BerthNodes *nodes, guint64 parent, const char *name, guint64 new_parent,
                        const char *new_name, bool swap);

/* Set the watch of the directory @id; -1: it is not watched. */
void berth_nodes_set_watch(BerthNodes *nodes, guint64 id, int watch);

/* The smallest number that can be in use, the root's aside, and the one after the largest. */
guint64 berth_nodes_begin(const BerthNodes *nodes);
guint64 berth_nodes_end(const BerthNodes *nodes);

/* The share that @id lies in, and its path from that share's root ("." for the root itself) in
 * @ret_path. -1: it is in no share, or has no place. */
int berth_nodes_path(const BerthNodes *nodes, guint64 id, GString *ret_path);

/* Call @function with the number and the name of each fixed node in @parent. */
void berth_nodes_each_fixed(const BerthNodes *nodes, guint64 parent,
                            void (*function)(guint64 id, const char *name, gpointer user_data),
                            gpointer user_data);

/* Nodes in use. */
guint berth_nodes_count(const BerthNodes *nodes);

G_END_DECLS
