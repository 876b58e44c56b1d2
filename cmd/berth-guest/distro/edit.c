/* SPDX-License-Identifier: MIT */
#include "edit.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK   (1 << 20)
#define NEW     ".berth-new"
#define TO_LAST ((off_t)1 << 62) /* as end of a range: end of the file */

/* ---- target ---- */

/* A file to change, by its path without links. */
typedef struct {
    char path[PATH_MAX];
    struct stat info;
    int fd; /* to read */
} Target;

static bool is_link(int root, const char *path)
{
    struct stat info;
    return fstatat(root, path, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

int edit_open(int root, const char *path)
{
    const struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                                 .resolve = RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    if (fd >= 0)
        return fd;
    return errno == ENOENT && is_link(root, path) ? -ENOLINK : -errno;
}

static int find_path(int fd, char path[PATH_MAX])
{
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(self, path, PATH_MAX - sizeof(NEW));
    path[length > 0 ? length : 0] = '\0';
    return length < 0 ? -errno : 0;
}

/* Resolve and open @path. 0, and the caller closes target->fd; or -errno. */
static int open_target(int root, const char *path, Target *target)
{
    target->fd = edit_open(root, path);
    if (target->fd < 0)
        return target->fd;
    int result =
        fstat(target->fd, &target->info) < 0 ? -errno : find_path(target->fd, target->path);
    if (result == 0 && !S_ISREG(target->info.st_mode))
        result = -EINVAL;
    if (result == 0 && (target->info.st_mode & 0222) == 0 && is_link(root, path))
        result = -ENOLINK;
    if (result < 0)
        close(target->fd);
    return result;
}

/* ---- new file ---- */

static int copy_range(int from, EditRange range, int to)
{
    while (range.begin < range.end) {
        off_t left = range.end - range.begin;
        ssize_t sent = sendfile(to, from, &range.begin, left < CHUNK ? (size_t)left : CHUNK);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        if (sent == 0)
            return range.end == TO_LAST ? 0 : -EIO;
    }
    return 0;
}

static int copy_attribute(int from, const char *name, int to)
{
    ssize_t size = fgetxattr(from, name, NULL, 0);
    char *value = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (value == NULL)
        return size < 0 ? -errno : -ENOMEM;
    size = fgetxattr(from, name, value, (size_t)size);
    int result = size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0 ? -errno : 0;
    free(value);
    return result;
}

static int copy_attributes(int from, int to)
{
    ssize_t size = flistxattr(from, NULL, 0);
    if (size <= 0)
        return size == 0 || errno == ENOTSUP ? 0 : -errno;
    char *names = malloc((size_t)size);
    if (names == NULL)
        return -ENOMEM;
    size = flistxattr(from, names, (size_t)size);
    int result = size < 0 ? -errno : 0;
    for (const char *name = names; result == 0 && name < names + size; name += strlen(name) + 1)
        result = copy_attribute(from, name, to);
    free(names);
    return result;
}

/* Set the mode last: a change of owner clears some of its bits. */
static int fill(int fd, const Target *target, EditRange range, const char *text)
{
    const struct stat *info = &target->info;
    int result = copy_range(target->fd, (EditRange){0, range.begin}, fd);
    if (result == 0)
        result = file_write_all(fd, text, strlen(text));
    if (result == 0)
        result = copy_range(target->fd, (EditRange){range.end, TO_LAST}, fd);
    if (result == 0 && fchown(fd, info->st_uid, info->st_gid) < 0)
        result = -errno;
    if (result == 0)
        result = copy_attributes(target->fd, fd);
    if (result == 0 && (fchmod(fd, info->st_mode & 07777) < 0 || fsync(fd) < 0))
        result = -errno;
    return result;
}

static int splice_target(const Target *target, EditRange range, const char *text)
{
    char temporary[PATH_MAX + sizeof(NEW)];
    snprintf(temporary, sizeof(temporary), "%s" NEW, target->path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = fill(fd, target, range, text);
    close(fd);
    if (result == 0 && rename(temporary, target->path) < 0)
        result = -errno;
    if (result < 0)
        unlink(temporary);
    return result;
}

int edit_splice(int root, const char *path, EditRange range, const char *text)
{
    Target target;
    int result = open_target(root, path, &target);
    if (result < 0)
        return result;
    result = splice_target(&target, range, text);
    close(target.fd);
    return result;
}

/* ---- edits ---- */

static bool lacks_line_end(const Target *target)
{
    char last = '\n';
    off_t size = target->info.st_size;
    return size > 0 && pread(target->fd, &last, 1, size - 1) == 1 && last != '\n';
}

int edit_append(int root, const char *path, const char *text)
{
    Target target;
    char *lines = NULL;
    int result = open_target(root, path, &target);
    if (result < 0)
        return result;
    const EditRange end = {target.info.st_size, target.info.st_size};
    if (asprintf(&lines, "%s%s", lacks_line_end(&target) ? "\n" : "", text) < 0)
        lines = NULL; /* asprintf leaves it undefined */
    result = lines != NULL ? splice_target(&target, end, lines) : -ENOMEM;
    free(lines);
    close(target.fd);
    return result;
}

/* Whether the content of @target equals @text. */
static bool is_already(const Target *target, const char *text)
{
    size_t length = strlen(text);
    char *now = (size_t)target->info.st_size == length ? malloc(length + 1) : NULL;
    bool same = now != NULL && pread(target->fd, now, length + 1, 0) == (ssize_t)length &&
                memcmp(now, text, length) == 0;
    free(now);
    return same;
}

int edit_set(int root, const char *path, const char *text)
{
    Target target;
    int result = open_target(root, path, &target);
    if (result == -ENOENT)
        return file_replace_at(root, path, text, 0644);
    if (result < 0)
        return result;
    const EditRange all = {0, target.info.st_size};
    result = is_already(&target, text) ? 0 : splice_target(&target, all, text);
    close(target.fd);
    return result;
}
