/* SPDX-License-Identifier: MIT */
#include "git_worktree.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096u
#define KEY      "gitdir: "

/* The text of @directory's ".git", of this user's; NULL if it is no such file. */
static char *read_file(const char *directory)
{
    g_autofree char *path = g_build_filename(directory, ".git", NULL);
    berth_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
        info.st_size > FILE_MAX)
        return NULL;
    g_autofree char *text = g_malloc0(FILE_MAX + 1);
    ssize_t size = read(fd, text, FILE_MAX);
    return size > 0 && strlen(text) == (gsize)size ? g_steal_pointer(&text) : NULL;
}

/* The absolute path of the file's line; NULL if it has another form. */
static char *find_git_directory(const char *directory, const char *text)
{
    if (!g_str_has_prefix(text, KEY))
        return NULL;
    const char *begin = text + strlen(KEY);
    g_autofree char *path = g_strndup(begin, strcspn(begin, "\n"));
    if (*path == '\0')
        return NULL;
    return path[0] == '/' ? g_steal_pointer(&path) : g_build_filename(directory, path, NULL);
}

static bool is_within(const char *path, const char *directory)
{
    gsize length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool is_own_directory(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

char *berth_git_worktree_repository(const char *directory)
{
    g_autofree char *text = read_file(directory);
    g_autofree char *path = text != NULL ? find_git_directory(directory, text) : NULL;
    char *resolved = path != NULL ? realpath(path, NULL) : NULL;
    g_autofree char *found = g_strdup(resolved);
    free(resolved);
    if (found == NULL)
        return NULL;
    g_autofree char *worktrees = g_path_get_dirname(found);
    g_autofree char *name = g_path_get_basename(worktrees);
    g_autofree char *repository = g_path_get_dirname(worktrees);
    if (!g_str_equal(name, "worktrees") || is_within(repository, directory) ||
        !is_own_directory(found) || !is_own_directory(repository))
        return NULL;
    return g_steal_pointer(&repository);
}
