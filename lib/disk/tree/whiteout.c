/* SPDX-License-Identifier: MIT */
#include "whiteout.h"

#include "base/error.h"

#include <string.h>

#define WHITEOUT ".wh."
#define RESERVED ".wh..wh."
#define OPAQUE   ".wh..wh..opq"

static bool refuse(GError **error, const char *message)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.layer.bad-whiteout", NULL, "%s", message);
    return false;
}

/* Whether a parent component of @path, before @name, begins with @prefix. */
static bool is_below(const char *path, const char *name, const char *prefix)
{
    for (const char *next = path; next < name; next = strchr(next, '/') + 1) {
        if (g_str_has_prefix(next, prefix))
            return true;
    }
    return false;
}

bool berth_whiteout_apply(BerthTree *tree, const char *path, bool *ret_applied, GError **error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    g_autofree char *directory = g_strndup(path, (gsize)(name - path));
    *ret_applied = true;
    if (is_below(path, name, RESERVED))
        return true;
    if (is_below(path, name, WHITEOUT))
        return refuse(error, "it is below a whiteout");
    if (strcmp(name, OPAQUE) == 0)
        return berth_tree_opaque(tree, directory, error);
    if (g_str_has_prefix(name, RESERVED))
        return true;

    *ret_applied = g_str_has_prefix(name, WHITEOUT);
    if (!*ret_applied)
        return true;
    const char *hidden = name + strlen(WHITEOUT);
    if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return refuse(error, "the whiteout does not name a file");
    g_autofree char *lower = g_strconcat(directory, hidden, NULL);
    return berth_tree_whiteout(tree, lower, error);
}
