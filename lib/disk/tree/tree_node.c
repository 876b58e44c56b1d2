/* SPDX-License-Identifier: MIT */
#include "tree_node.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

BerthInode *berth_tree_node_new(BerthTree *tree, mode_t mode, GError **error)
{
    if (tree->live >= tree->files_max) {
        g_autofree char *hint =
            g_strdup_printf("give the image more inodes: --inodes %u", tree->files_max * 2);
        berth_error_set(error, BERTH_ERROR_NO_SPACE, "import.tree.too-many-files", hint,
                        "the archive has more files than the image has inodes: %u",
                        tree->files_max);
        return NULL;
    }
    BerthInode *inode = berth_arena_alloc(tree->arena, sizeof(BerthInode));
    inode->mode = (guint16)mode;
    if (S_ISDIR(mode)) {
        inode->directory = berth_arena_alloc(tree->arena, sizeof(BerthDirectory));
        inode->directory->tree = tree;
    }
    g_ptr_array_add(tree->inodes, inode);
    return inode;
}

static const BerthName *living(const BerthName *name)
{
    while (name != NULL && name->inode == NULL)
        name = name->next;
    return name;
}

const BerthName *berth_tree_first(const BerthInode *directory)
{
    return living(directory->directory->names.first);
}

const BerthName *berth_tree_next(const BerthName *name)
{
    return living(name->next);
}

BerthName *berth_tree_node_find(const BerthInode *directory, const char *text, gsize length)
{
    BerthDirectory *in = directory->directory;
    BerthName *name = berth_tree_names_find(in->tree->names, &in->names, text, length);
    return name != NULL && name->inode != NULL ? name : NULL;
}

BerthInode *berth_tree_child(const BerthInode *directory, const char *text)
{
    const BerthName *name = berth_tree_node_find(directory, text, strlen(text));
    return name == NULL ? NULL : name->inode;
}

void berth_tree_node_link(BerthInode *directory, const char *text, gsize length, BerthInode *inode)
{
    BerthDirectory *in = directory->directory;
    BerthName *name = berth_tree_names_add(in->tree->names, &in->names, text, length);
    name->inode = inode;
    name->layer = in->tree->layer;
    in->tree->live += inode->links++ == 0;
    if (!S_ISDIR(inode->mode))
        return;
    in->subdirectories++;
    inode->directory->parent = directory;
    inode->directory->depth = in->depth + 1;
}

void berth_tree_node_unlink(BerthInode *directory, BerthName *name)
{
    BerthTree *tree = directory->directory->tree;
    BerthInode *inode = name->inode;
    name->inode = NULL;
    tree->live -= --inode->links == 0;
    directory->directory->subdirectories -= S_ISDIR(inode->mode);
    tree->parent = NULL; /* the cached path may have led through it */
}

void berth_tree_node_remove_below(BerthInode *directory, guint16 layer)
{
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    for (BerthInode *next = directory; next != NULL;) {
        for (BerthName *name = next->directory->names.first; name != NULL; name = name->next) {
            BerthInode *inode = name->inode;
            if (inode == NULL)
                continue;
            if (S_ISDIR(inode->mode))
                g_ptr_array_add(waiting, inode);
            if (name->layer < layer || next->links == 0)
                berth_tree_node_unlink(next, name);
        }
        next = waiting->len > 0 ? g_ptr_array_steal_index(waiting, waiting->len - 1) : NULL;
    }
}
