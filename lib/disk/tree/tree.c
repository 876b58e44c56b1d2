/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include "tree_node.h"
#include "tree_walk.h"
#include "tree_xattrs.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>
#include <sys/stat.h>

#define LINKS_LIMIT 65000 /* ext4's */
#define ROUNDS_MAX  40    /* for hard links to unresolved hard links */
#define NSEC_BITS   30

typedef struct {
    BerthInode *parent;
    char *name;
    char *path;
    char *target;
} DeferredLink;

static const mode_t type_bits[] = {
    [BERTH_ENTRY_FILE] = S_IFREG,         [BERTH_ENTRY_DIRECTORY] = S_IFDIR,
    [BERTH_ENTRY_SYMLINK] = S_IFLNK,      [BERTH_ENTRY_CHAR_DEVICE] = S_IFCHR,
    [BERTH_ENTRY_BLOCK_DEVICE] = S_IFBLK, [BERTH_ENTRY_FIFO] = S_IFIFO,
    [BERTH_ENTRY_SOCKET] = S_IFSOCK,
};

static void deferred_link_free(gpointer data)
{
    DeferredLink *link = data;
    if (link == NULL)
        return;
    g_free(link->name);
    g_free(link->path);
    g_free(link->target);
    g_free(link);
}

BerthTree *berth_tree_new(void)
{
    BerthTree *tree = g_new0(BerthTree, 1);
    tree->files_max = BERTH_TREE_FILES_MAX;
    tree->arena = berth_arena_new();
    tree->names = berth_tree_names_new(tree->arena);
    tree->inodes = g_ptr_array_new();
    tree->deferred = g_ptr_array_new_with_free_func(deferred_link_free);
    berth_tree_xattrs_init(tree);
    tree->parent_path = g_string_new(NULL);
    tree->root = berth_tree_node_new(tree, S_IFDIR | 0755, NULL);
    tree->root->directory->parent = tree->root;
    tree->root->links = tree->live = 1;
    return tree;
}

void berth_tree_free(BerthTree *tree)
{
    if (tree == NULL)
        return;
    g_ptr_array_unref(tree->inodes);
    g_ptr_array_unref(tree->deferred);
    berth_tree_xattrs_clear(tree);
    g_string_free(tree->parent_path, true);
    berth_tree_names_free(tree->names);
    berth_arena_free(tree->arena);
    g_free(tree);
}

/* Split @path at its last slash: return the length of the parent part. */
static gsize split(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash == NULL ? path : slash + 1;
    return slash == NULL ? 0 : (gsize)(slash - path);
}

/* Look up the parent directory of @path; *ret_name is the last component. NULL when it does not
 * exist. */
static BerthInode *look_up_parent(BerthTree *tree, const char *path, const char **ret_name,
                                  GError **error)
{
    BerthWalk state = {.tree = tree};
    return berth_walk(&state, tree->root, path, split(path, ret_name), false, error);
}

/* Look up the parent of an archive entry and create missing directories. Caches the last parent. */
static BerthInode *reach_parent(BerthTree *tree, const char *path, const char **ret_name,
                                GError **error)
{
    gsize length = split(path, ret_name);
    if (tree->parent != NULL && tree->parent_path->len == length &&
        memcmp(tree->parent_path->str, path, length) == 0)
        return tree->parent;

    BerthWalk state = {.tree = tree, .touch = true};
    BerthInode *directory = berth_walk(&state, tree->root, path, length, true, error);
    if (directory != NULL && directory->directory->depth >= BERTH_TREE_DEPTH_MAX) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.too-deep", NULL,
                        "it is more than %u directories deep", BERTH_TREE_DEPTH_MAX);
        return NULL;
    }
    g_string_truncate(tree->parent_path, 0);
    g_string_append_len(tree->parent_path, path, (gssize)length);
    tree->parent = directory;
    return directory;
}

BerthInode *berth_tree_find(BerthTree *tree, const char *path)
{
    BerthWalk state = {.tree = tree};
    const char *name = NULL;
    BerthInode *directory = berth_walk(&state, tree->root, path, split(path, &name), false, NULL);
    BerthInode *found = directory == NULL ? NULL : berth_tree_child(directory, name);
    while (found != NULL && S_ISLNK(found->mode)) {
        const char *target = found->target;
        if (++state.hops > BERTH_WALK_HOPS_MAX)
            return NULL;
        BerthInode *start = target[0] == '/' ? tree->root : directory;
        directory = berth_walk(&state, start, target, split(target, &name), false, NULL);
        found = directory == NULL ? NULL : berth_tree_child(directory, name);
    }
    return found;
}

/* --- adding --- */

/* Keeps the 34 bits of seconds that ext4 stores. */
static gint64 pack_time(BerthTime time)
{
    return (gint64)((guint64)time.sec << NSEC_BITS | time.nsec);
}

BerthTime berth_inode_time(const BerthInode *inode, guint which)
{
    gint64 packed = inode->times[which];
    return (BerthTime){.sec = packed >> NSEC_BITS,
                       .nsec = (guint32)(packed & ((1 << NSEC_BITS) - 1))};
}

static bool set_metadata(BerthTree *tree, BerthInode *inode, const BerthEntry *entry,
                         GError **error)
{
    inode->mode = (guint16)(type_bits[entry->type] | (entry->mode & 07777));
    inode->uid = (guint32)entry->uid;
    inode->gid = (guint32)entry->gid;
    inode->nodump = entry->nodump;
    for (guint i = 0; i < BERTH_TIMES; i++)
        inode->times[i] = pack_time(entry->times[i]);
    if (entry->type == BERTH_ENTRY_SYMLINK) {
        inode->target = berth_arena_strndup(tree->arena, entry->target, strlen(entry->target));
    } else if (entry->type == BERTH_ENTRY_CHAR_DEVICE || entry->type == BERTH_ENTRY_BLOCK_DEVICE) {
        inode->device.major = (guint32)entry->major;
        inode->device.minor = (guint32)entry->minor;
    }
    berth_tree_xattrs_remember_acl_names(tree, inode, entry->acl_names);
    return berth_tree_xattrs_set(tree, inode, entry->xattrs, error);
}

/* Remove @text from @directory, as an extraction would. */
static bool make_room(BerthTree *tree, BerthInode *directory, const char *text, GError **error)
{
    BerthName *old = berth_tree_node_find(directory, text, strlen(text));
    if (old == NULL)
        return true;
    BerthInode *inode = old->inode;
    if (S_ISDIR(inode->mode) && berth_tree_first(inode) != NULL) {
        if (tree->layer == 0) {
            berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.not-empty", NULL,
                            "it would replace a directory that is not empty");
            return false;
        }
        berth_tree_node_remove_below(inode, G_MAXUINT16);
    }
    berth_tree_node_unlink(directory, old);
    return true;
}

/* Add a name to @target. @text is free or names @target already. */
static bool add_link(BerthTree *tree, BerthInode *directory, const char *text, BerthInode *target,
                     GError **error)
{
    if (target->links >= LINKS_LIMIT) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.too-many-links", NULL,
                        "the file has more than %d hard links", LINKS_LIMIT);
        return false;
    }
    if (!make_room(tree, directory, text, error))
        return false;
    berth_tree_node_link(directory, text, strlen(text), target);
    return true;
}

/* Find the target of a hard link; NULL without an error when it does not exist (yet). */
static bool find_link_target(BerthTree *tree, const char *path, BerthInode **ret_target,
                             GError **error)
{
    const char *name = NULL;
    BerthInode *directory = look_up_parent(tree, path, &name, NULL);
    BerthInode *target = directory == NULL ? NULL : berth_tree_child(directory, name);
    if (path[0] == '\0' || (target != NULL && S_ISDIR(target->mode))) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.link-to-directory", NULL,
                        "it is a hard link to a directory");
        return false;
    }
    *ret_target = target;
    return true;
}

static bool add_hardlink(BerthTree *tree, const BerthEntry *entry, BerthInode *directory,
                         const char *name, BerthInode **ret_file, GError **error)
{
    BerthInode *target = NULL;
    if (!find_link_target(tree, entry->target, &target, error))
        return false;
    if (target == NULL) {
        if (!make_room(tree, directory, name, error))
            return false;
        DeferredLink *link = g_new0(DeferredLink, 1);
        *link = (DeferredLink){.parent = directory,
                               .name = g_strdup(name),
                               .path = g_strdup(entry->path),
                               .target = g_strdup(entry->target)};
        g_ptr_array_add(tree->deferred, link);
        return true;
    }

    if (berth_tree_child(directory, name) != target &&
        !add_link(tree, directory, name, target, error))
        return false;
    if (entry->size > 0 && S_ISREG(target->mode))
        *ret_file = target;
    return true;
}

static bool add_inode(BerthTree *tree, const BerthEntry *entry, BerthInode *directory,
                      const char *name, BerthInode **ret_file, GError **error)
{
    if (!make_room(tree, directory, name, error))
        return false;
    BerthInode *inode = berth_tree_node_new(tree, type_bits[entry->type], error);
    if (inode == NULL || !set_metadata(tree, inode, entry, error))
        return false;
    berth_tree_node_link(directory, name, strlen(name), inode);
    if (entry->type == BERTH_ENTRY_FILE)
        *ret_file = inode;
    return true;
}

static bool update_directory(BerthTree *tree, BerthInode *inode, const BerthEntry *entry,
                             GError **error)
{
    berth_tree_xattrs_forget_acl_names(tree, inode);
    return set_metadata(tree, inode, entry, error);
}

bool berth_tree_add(BerthTree *tree, const BerthEntry *entry, BerthInode **ret_file, GError **error)
{
    *ret_file = NULL;
    if (entry->path[0] == '\0')
        return update_directory(tree, tree->root, entry, error);

    const char *text = NULL;
    BerthInode *directory = reach_parent(tree, entry->path, &text, error);
    if (directory == NULL)
        return false;
    if (entry->type == BERTH_ENTRY_HARDLINK)
        return add_hardlink(tree, entry, directory, text, ret_file, error);

    BerthName *old = berth_tree_node_find(directory, text, strlen(text));
    if (old == NULL || !S_ISDIR(old->inode->mode) || entry->type != BERTH_ENTRY_DIRECTORY)
        return add_inode(tree, entry, directory, text, ret_file, error);
    old->layer = tree->layer;
    return update_directory(tree, old->inode, entry, error);
}

/* --- finishing --- */

/* Whether the directory is still in the tree: a later entry may have replaced it. */
static bool is_reachable(const BerthTree *tree, const BerthInode *directory)
{
    while (directory != tree->root && directory->links > 0)
        directory = directory->directory->parent;
    return directory == tree->root;
}

/* Resolve @link if its target exists by now. *ret_done: @link needs no further round. */
static bool resolve_link(BerthTree *tree, const DeferredLink *link, bool *ret_done, GError **error)
{
    *ret_done = !is_reachable(tree, link->parent) ||
                berth_tree_child(link->parent, link->name) != NULL; /* replaced since */
    if (*ret_done)
        return true;

    BerthInode *target = NULL;
    if (!find_link_target(tree, link->target, &target, error) ||
        (target != NULL && !add_link(tree, link->parent, link->name, target, error))) {
        g_autofree char *path = berth_text_escape(link->path);
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    *ret_done = target != NULL;
    return true;
}

/* Try all deferred links once; remove the resolved ones from the list. */
static bool resolve_round(BerthTree *tree, GError **error)
{
    g_autoptr(GPtrArray) round = tree->deferred;
    tree->deferred = g_ptr_array_new_with_free_func(deferred_link_free);
    for (guint i = 0; i < round->len; i++) {
        bool done = false;
        if (!resolve_link(tree, g_ptr_array_index(round, i), &done, error))
            return false;
        if (!done)
            g_ptr_array_add(tree->deferred, g_steal_pointer(&g_ptr_array_index(round, i)));
    }
    return true;
}

/* Repeat, because a link may name another deferred link. */
static bool resolve_links(BerthTree *tree, GError **error)
{
    for (guint round = 0; round < ROUNDS_MAX && tree->deferred->len > 0; round++) {
        if (!resolve_round(tree, error))
            return false;
    }
    if (tree->deferred->len == 0)
        return true;

    const DeferredLink *link = g_ptr_array_index(tree->deferred, 0);
    g_autofree char *path = berth_text_escape(link->path);
    g_autofree char *target = berth_text_escape(link->target);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.link-missing", NULL,
                    "%s: it is a hard link to %s, which is not in the archive", path, target);
    return false;
}

static bool check_lost_and_found(BerthTree *tree, GError **error)
{
    static const char name[] = "lost+found";
    BerthInode *found = berth_tree_child(tree->root, name);
    if (found == NULL) {
        found = berth_tree_node_new(tree, S_IFDIR | 0700, error);
        if (found == NULL)
            return false;
        memcpy(found->times, tree->root->times, sizeof(found->times));
        berth_tree_node_link(tree->root, name, strlen(name), found);
        return true;
    }
    if (S_ISDIR(found->mode))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.lost-and-found", NULL,
                    "lost+found: ext4 reserves this name for a directory");
    return false;
}

bool berth_tree_finish(BerthTree *tree, GError **error)
{
    return resolve_links(tree, error) && check_lost_and_found(tree, error);
}

/* --- layers --- */

bool berth_tree_begin_layer(BerthTree *tree, GError **error)
{
    g_assert(tree->layer < BERTH_TREE_LAYERS_MAX);
    if (!resolve_links(tree, error))
        return false;
    tree->layer++;
    tree->parent = NULL;
    return true;
}

/* Whether a walk failed because there is nothing to remove. */
static bool is_absent(const GError *error)
{
    const char *id = berth_error_id(error);
    return strcmp(id, "import.tree.missing") == 0 || strcmp(id, "import.tree.not-a-directory") == 0;
}

static bool ignore_absent(GError *failure, GError **error)
{
    if (!is_absent(failure)) {
        g_propagate_error(error, failure);
        return false;
    }
    g_error_free(failure);
    return true;
}

bool berth_tree_whiteout(BerthTree *tree, const char *path, GError **error)
{
    const char *text = NULL;
    GError *failure = NULL;
    BerthInode *directory = look_up_parent(tree, path, &text, &failure);
    if (directory == NULL)
        return ignore_absent(failure, error);

    BerthName *name = berth_tree_node_find(directory, text, strlen(text));
    if (name == NULL)
        return true;
    BerthInode *inode = name->inode;
    if (name->layer < tree->layer)
        berth_tree_node_unlink(directory, name);
    if (S_ISDIR(inode->mode))
        berth_tree_node_remove_below(inode, tree->layer);
    return true;
}

bool berth_tree_opaque(BerthTree *tree, const char *path, GError **error)
{
    BerthWalk state = {.tree = tree};
    GError *failure = NULL;
    BerthInode *directory = berth_walk(&state, tree->root, path, strlen(path), false, &failure);
    if (directory == NULL)
        return ignore_absent(failure, error);
    berth_tree_node_remove_below(directory, tree->layer);
    return true;
}
