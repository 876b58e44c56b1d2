/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "berth:"
#define TYPE   "fuse.berth"

char *berth_mounts_source(const char *name)
{
    return g_strconcat(PREFIX, name, NULL);
}

/* The last mount on @path hides those before it. */
char *berth_mounts_find(const char *path)
{
    char *name = NULL;
    FILE *file = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;
    while (file != NULL && (entry = getmntent(file)) != NULL) {
        if (strcmp(entry->mnt_dir, path) != 0)
            continue;
        bool is_berths =
            strcmp(entry->mnt_type, TYPE) == 0 && g_str_has_prefix(entry->mnt_fsname, PREFIX);
        g_free(name);
        name = is_berths ? g_strdup(entry->mnt_fsname + strlen(PREFIX)) : NULL;
    }
    if (file != NULL)
        endmntent(file);
    return name;
}

/* The last component is not looked at, unless it is a link: a mount whose server has ended cannot
 * be. */
char *berth_mounts_path(const char *path)
{
    char *whole = realpath(path, NULL);
    if (whole != NULL) {
        char *copy = g_strdup(whole);
        free(whole);
        return copy;
    }
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *parent = g_path_get_dirname(absolute);
    g_autofree char *name = g_path_get_basename(absolute);
    char *resolved = realpath(parent, NULL);
    char *result = resolved != NULL ? g_build_filename(resolved, name, NULL) : NULL;
    free(resolved);
    return result;
}
