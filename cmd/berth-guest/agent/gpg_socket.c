/* SPDX-License-Identifier: MIT */
#include "gpg_socket.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNTIME "/run/user/%u"
#define NAME    "S.gpg-agent"
#define BEFORE  "%%Assuan%%\nsocket=%s\n"
#define OURS    "/run/berth/" /* only berth writes such a path */

/* Open the directory of gpg's sockets; where @make, make it. -1: it is not there. */
static int open_directory(uid_t uid, const char *home, bool make)
{
    char path[PATH_MAX];
    struct stat info;
    snprintf(path, sizeof(path), RUNTIME, uid);
    bool has_runtime = stat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == uid;
    int size = has_runtime ? snprintf(path, sizeof(path), RUNTIME "/gnupg", uid)
                           : snprintf(path, sizeof(path), "%s/.gnupg", home);
    if (size >= (int)sizeof(path))
        return -1;
    if (make)
        mkdir(path, 0700);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Whether the file in @directory leads to a socket of ours. */
static bool is_ours(int directory)
{
    char found[PATH_MAX + 64], expected[64];
    struct stat info;
    if (fstatat(directory, NAME, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode))
        return false;
    int fd = openat(directory, NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, found, sizeof(found));
    if (fd >= 0)
        close(fd);
    int length = snprintf(expected, sizeof(expected), BEFORE, OURS) - 1; /* without the last \n */
    return size >= length && memcmp(found, expected, (size_t)length) == 0;
}

/* Replace the file, or a socket of gpg's own agent, by one that leads to @path. */
static void put(int directory, const char *path)
{
    char text[PATH_MAX + 64], other[64];
    int size = snprintf(text, sizeof(text), BEFORE, path);
    snprintf(other, sizeof(other), NAME ".berth-%d", (int)getpid());
    int fd = openat(directory, other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    bool written = size < (int)sizeof(text) && write(fd, text, (size_t)size) == size;
    close(fd);
    if (!written || renameat(directory, other, directory, NAME) < 0)
        unlinkat(directory, other, 0);
}

void gpg_socket_update(uid_t uid, const char *home, const char *path)
{
    int directory = open_directory(uid, home, path != NULL);
    if (directory < 0)
        return;
    if (path != NULL)
        put(directory, path);
    else if (is_ours(directory))
        unlinkat(directory, NAME, 0);
    close(directory);
}
