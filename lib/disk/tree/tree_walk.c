/* SPDX-License-Identifier: MIT */
#include "tree_walk.h"

#include "tree_node.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>
#include <sys/stat.h>

static BerthInode *follow(BerthWalk *state, BerthInode *directory, const BerthName *name,
                          GError **error)
{
    const char *to = name->inode->target;
    if (++state->hops > BERTH_WALK_HOPS_MAX) {
        g_autofree char *shown = berth_text_escape(name->text);
        g_autofree char *target = berth_text_escape(to);
        berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.link-loop", NULL,
                        "too many symbolic links on the way, at %s -> %s", shown, target);
        return NULL;
    }

    BerthInode *start = to[0] == '/' ? state->tree->root : directory;
    g_autoptr(GError) failure = NULL;
    BerthInode *found = berth_walk(state, start, to, strlen(to), false, &failure);
    if (found != NULL)
        return found;
    g_assert(failure != NULL);
    if (strstr(failure->message, " -> ") == NULL) {
        g_autofree char *shown = berth_text_escape(name->text);
        g_autofree char *target = berth_text_escape(to);
        g_prefix_error(&failure, "%s -> %s: ", shown, target);
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

static BerthInode *refuse_step(const char *text, gsize length, const char *id, const char *what,
                               GError **error)
{
    g_autofree char *name = g_strndup(text, length);
    g_autofree char *shown = berth_text_escape(name);
    berth_error_set(error, BERTH_ERROR_INVALID, id, NULL, "%s %s", shown, what);
    return NULL;
}

static BerthInode *make_directory(BerthTree *tree, BerthInode *in, const char *text, gsize length,
                                  GError **error)
{
    BerthInode *made = berth_tree_node_new(tree, S_IFDIR | 0755, error);
    if (made != NULL)
        berth_tree_node_link(in, text, length, made);
    return made;
}

static BerthInode *step(BerthWalk *state, BerthInode *directory, const char *text, gsize length,
                        bool create, GError **error)
{
    if (length == 1 && text[0] == '.')
        return directory;
    if (length == 2 && text[0] == '.' && text[1] == '.')
        return directory->directory->parent;

    BerthName *name = length <= G_MAXUINT8 ? berth_tree_node_find(directory, text, length) : NULL;
    if (name == NULL && create)
        return make_directory(state->tree, directory, text, length, error);
    if (name == NULL)
        return refuse_step(text, length, "import.tree.missing", "is not in the archive", error);
    if (state->touch)
        name->layer = state->tree->layer;
    if (S_ISLNK(name->inode->mode))
        return follow(state, directory, name, error);
    if (!S_ISDIR(name->inode->mode))
        return refuse_step(text, length, "import.tree.not-a-directory", "is not a directory",
                           error);
    return name->inode;
}

BerthInode *berth_walk(BerthWalk *state, BerthInode *from, const char *path, gsize length,
                       bool create, GError **error)
{
    BerthInode *directory = from;
    const char *end = path + length;
    for (const char *next = path; next < end && directory != NULL;) {
        const char *slash = memchr(next, '/', (gsize)(end - next));
        gsize part = (gsize)((slash != NULL ? slash : end) - next);
        if (part > 0)
            directory = step(state, directory, next, part, create, error);
        next += part + 1;
    }
    return directory;
}
