/* SPDX-License-Identifier: MIT
 *
 * tree — the file system to be, in memory: names, inodes, links. No data, no blocks.
 *
 * Entries are added in archive order with the meaning an extraction would give them: a later entry
 * replaces an earlier one, missing parents appear, symbolic links on the way are followed inside
 * the tree (an absolute target starts at the tree's root, ".." stops there), the last component
 * never is. A hard link may come before the file it names; berth_tree_finish() settles those.
 *
 * The layers of a container image are added one after the other, each begun with
 * berth_tree_begin_layer(). A name then is lower until an entry of the current layer has made,
 * changed or passed through it; whiteouts remove lower names only, so that it makes no difference
 * where in its layer one stands.
 *
 * Ownership: the tree owns its inodes, also those that lost their last name (links is 0): they stay
 * in `inodes` until the tree is freed, so that the writer can give their blocks back. An entry with
 * a name of ten bytes takes about 160 bytes; equal sets of attributes are kept once.
 *
 * Errors: BERTH_ERROR_INVALID with ids "import.tree.*", BERTH_ERROR_NO_SPACE with
 * "import.tree.too-many-files". The messages do not name the entry, except those of
 * berth_tree_finish() and berth_tree_begin_layer().
 */
#pragma once

#include "entry.h"
#include "tree_names.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_TREE_FILES_MAX 10000000U /* unless more are asked for */
#define BERTH_TREE_DEPTH_MAX 4096U

typedef struct BerthTree BerthTree;
typedef struct BerthInode BerthInode;

typedef struct {
    BerthTree *tree;
    BerthInode *parent; /* the root is its own */
    BerthNameList names;
    guint32 depth; /* of the root 0 */
    guint32 subdirectories;
} BerthDirectory;

struct BerthInode {
    guint64 size;              /* regular files */
    gint64 times[BERTH_TIMES]; /* packed: berth_inode_time() */
    union {
        BerthDirectory *directory;
        const char *target; /* symbolic links */
        struct {
            guint32 major;
            guint32 minor;
        } device;
    };
    GArray *xattrs; /* BerthXattr, sorted by name, or NULL; equal sets are one array */
    guint32 uid;
    guint32 gid;
    guint32 links; /* names that lead here; for a directory 1. 0: replaced, not in the tree */

    /* The writer's notes. */
    guint32 number;
    guint32 extent_first;
    guint32 extent_count;

    guint16 mode; /* type and permissions, as in st_mode */
    bool nodump;
};

struct BerthTree {
    BerthInode *root;
    GPtrArray *inodes;    /* BerthInode, in order of appearance; the root first */
    guint32 live;         /* of them, in the tree */
    guint32 files_max;    /* what `live` may become */
    guint acls_dropped;   /* ACL lines for somebody the tree's passwd and group do not know */
    guint xattrs_dropped; /* attributes the writer had no room for */

    /* The rest is the tree's own. */
    BerthArena *arena;
    BerthTreeNames *names;
    GHashTable *xattr_sets;
    guint64 xattr_bytes;
    GArray *acl_names;
    GPtrArray *deferred;
    GString *parent_path; /* where the last entry went, since the next is mostly beside it */
    BerthInode *parent;
    guint16 layer; /* the current one; 0: not a layered image */
};

BerthTree *berth_tree_new(void);
void berth_tree_free(BerthTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTree, berth_tree_free)

/* Add the normalised @entry. *ret_file is the regular file that the entry's data belongs to, or
 * NULL when it has none (everything but files and hard links that carry data). */
bool berth_tree_add(BerthTree *tree, const BerthEntry *entry, BerthInode **ret_file,
                    GError **error);

#define BERTH_TREE_LAYERS_MAX 1000

/* What is added from here on is a layer of its own, and everything so far is lower; at most
 * BERTH_TREE_LAYERS_MAX times. From the first call on a directory with content may be replaced.
 * Settles the hard links of the layer before. */
bool berth_tree_begin_layer(BerthTree *tree, GError **error);

/* Remove what lower layers have at @path, with all that is below it; nothing there is fine. */
bool berth_tree_whiteout(BerthTree *tree, const char *path, GError **error);

/* Remove what lower layers have in the directory @path. */
bool berth_tree_opaque(BerthTree *tree, const char *path, GError **error);

/* Settle hard links that came before their target and make sure of lost+found. */
bool berth_tree_finish(BerthTree *tree, GError **error);

/* The child @name of @directory, or NULL. */
BerthInode *berth_tree_child(const BerthInode *directory, const char *name);

/* What @path leads to, its last component's link followed too; NULL when there is nothing. */
BerthInode *berth_tree_find(BerthTree *tree, const char *path);

/* The names in @directory in order of appearance: NULL at the end. */
const BerthName *berth_tree_first(const BerthInode *directory);
const BerthName *berth_tree_next(const BerthName *name);

BerthTime berth_inode_time(const BerthInode *inode, guint which);

/* Whether some ACL names somebody without a number. */
bool berth_tree_has_acl_names(const BerthTree *tree);

/* Give them the numbers that the tree's own files have for them; without one they are dropped and
 * counted. The texts are those of passwd(5) and group(5); either may be NULL. */
void berth_tree_settle_acl_names(BerthTree *tree, GBytes *passwd, GBytes *group);

G_END_DECLS
