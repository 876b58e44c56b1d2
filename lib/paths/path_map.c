/* SPDX-License-Identifier: MIT */
#include "path_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Set *ret_rest to what follows @directory in @path: "" or "/...". */
static bool is_below(const char *path, const char *directory, const char **ret_rest)
{
    size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    if (strncmp(path, directory, length) != 0 || (path[length] != '\0' && path[length] != '/'))
        return false;
    *ret_rest = strcmp(path + length, "/") == 0 ? "" : path + length;
    return true;
}

static char *join(const char *directory, const char *rest)
{
    char *joined;
    bool is_root = strcmp(directory, "/") == 0;
    const char *base = is_root && *rest != '\0' ? "" : directory;
    if (asprintf(&joined, "%s%s", base, rest) >= 0)
        return joined;
    errno = ENOMEM;
    return NULL;
}

char *path_map(const PathPair *pairs, size_t count, PathSide from, const char *path)
{
    const PathPair *best = NULL;
    const char *best_rest = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *rest;
        if (!is_below(path, pairs[i].sides[from], &rest))
            continue;
        if (best != NULL && strlen(rest) >= strlen(best_rest))
            continue;
        best = &pairs[i];
        best_rest = rest;
    }
    errno = 0;
    return best != NULL ? join(best->sides[from == PATH_ON_HOST], best_rest) : NULL;
}
