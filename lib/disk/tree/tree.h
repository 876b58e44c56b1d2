/* SPDX-License-Identifier: MIT
 *
 * tree — the file system under construction, in memory: names, inodes and links, without data or
 * blocks.
 *
 * Entries are added in archive order with the semantics of an extraction: a later entry replaces an
 * earlier one, missing parents are created, symbolic links in parent components are followed inside
 * the tree (an absolute target starts at the tree's root, ".." stops there), and the last component
 * is not followed. A hard link may precede its target; berth_tree_finish() resolves those.
 *
 * The layers of a container image are added one after the other, each begun with
 * berth_tree_begin_layer(). A name counts as lower until an entry of the current layer creates,
 * changes or traverses it. Whiteouts remove lower names only, so their position within a layer does
 * not matter.
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

#define BERTH_TREE_FILES_MAX 10000000U /* default */
#define BERTH_TREE_DEPTH_MAX 4096U

typedef struct BerthTree BerthTree;
typedef struct BerthInode BerthInode;

typedef struct {
    BerthTree *tree;
    BerthInode *parent; /* the root is its own */
    BerthNameList names;
    guint32 depth; /* the root's is 0 */
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
    GArray *xattrs; /* BerthXattr, sorted by name, or NULL; equal sets are the same array */
    guint32 uid;
    guint32 gid;
    guint32 links; /* names of this inode; 1 for a directory; 0: replaced, not in the tree */

    /* Used by the writer. */
    guint32 number;
    guint32 extent_first;
    guint32 extent_count;

    guint16 mode; /* type and permissions, as in st_mode */
    bool nodump;
};

struct BerthTree {
    BerthInode *root;
    GPtrArray *inodes;    /* BerthInode, in the order of creation; the root first */
    guint32 live;         /* number of inodes that are in the tree */
    guint32 files_max;    /* maximum of `live` */
    guint acls_dropped;   /* ACL lines whose name is not in the tree's passwd or group */
    guint xattrs_dropped; /* attributes the writer had no room for */

    /* The rest is the tree's own. */
    BerthArena *arena;
    BerthTreeNames *names;
    GHashTable *xattr_sets;
    guint64 xattr_bytes;
    GArray *acl_names;
    GPtrArray *deferred;
    GString *parent_path; /* cache: path of the last entry's parent */
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

/* Begin a layer; everything added so far becomes lower. At most BERTH_TREE_LAYERS_MAX times. From
 * the first call on, an entry may replace a directory with content. Resolves the hard links of the
 * previous layer. */
bool berth_tree_begin_layer(BerthTree *tree, GError **error);

/* Remove @path of lower layers and everything below it. Not an error if it does not exist. */
bool berth_tree_whiteout(BerthTree *tree, const char *path, GError **error);

/* Remove the lower layers' content of the directory @path. */
bool berth_tree_opaque(BerthTree *tree, const char *path, GError **error);

/* Resolve hard links that preceded their target and create lost+found if missing. */
bool berth_tree_finish(BerthTree *tree, GError **error);

/* The child @name of @directory, or NULL. */
BerthInode *berth_tree_child(const BerthInode *directory, const char *name);

/* Resolve @path, following symbolic links in every component; NULL when it does not exist. */
BerthInode *berth_tree_find(BerthTree *tree, const char *path);

/* The names in @directory in order of appearance: NULL at the end. */
const BerthName *berth_tree_first(const BerthInode *directory);
const BerthName *berth_tree_next(const BerthName *name);

BerthTime berth_inode_time(const BerthInode *inode, guint which);

/* Whether an ACL line still has a name without an id. */
bool berth_tree_has_acl_names(const BerthTree *tree);

/* Resolve those names by the tree's own account files; drop and count unknown ones. The texts are
 * those of passwd(5) and group(5); either may be NULL. */
void berth_tree_resolve_acl_names(BerthTree *tree, GBytes *passwd, GBytes *group);

G_END_DECLS
