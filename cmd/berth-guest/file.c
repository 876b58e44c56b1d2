/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)

/* Read until the end or @size bytes. Bytes, or -1 with errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t total = 0;
    while (total < size) {
        ssize_t got = read(fd, bytes + total, size - total);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

bool file_read_line(const char *path, char *line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read_all(fd, line, size - 1);
    close(fd);
    if (length < 0)
        return false;
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return true;
}

char *file_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;

    struct stat info;
    size_t size = fstat(fd, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 65536;
    if (size > FILE_MAX)
        size = FILE_MAX;
    char *text = malloc(size + 1);
    ssize_t length = text != NULL ? read_all(fd, text, size) : -1;
    close(fd);
    if (length < 0) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

int file_write_at(int directory, const char *path, const char *text)
{
    int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = write_all(fd, text, strlen(text));
    close(fd);
    return result;
}

int file_write(const char *path, const char *text)
{
    return file_write_at(AT_FDCWD, path, text);
}

static bool is_already(const char *path, const char *text)
{
    struct stat info;
    if (lstat(path, &info) < 0 || !S_ISREG(info.st_mode))
        return false;
    char *now = file_read(path);
    bool same = now != NULL && strcmp(now, text) == 0;
    free(now);
    return same;
}

/* @like: whose owner it is to have. */
static int replace(const char *path, const char *text, mode_t mode, const struct stat *like)
{
    char temporary[PATH_MAX];
    snprintf(temporary, sizeof(temporary), "%s.berth-new", path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;

    int result = write_all(fd, text, strlen(text));
    if (result == 0 && like != NULL && fchown(fd, like->st_uid, like->st_gid) < 0)
        result = -errno;
    if (result == 0 && fchmod(fd, mode) < 0)
        result = -errno;
    close(fd);
    if (result == 0 && rename(temporary, path) < 0)
        result = -errno;
    if (result < 0)
        unlink(temporary);
    return result;
}

int file_replace(const char *path, const char *text, mode_t mode)
{
    return is_already(path, text) ? 0 : replace(path, text, mode, NULL);
}

int file_rewrite(const char *path, const char *text)
{
    struct stat like;
    bool there = stat(path, &like) == 0;
    return replace(path, text, there ? like.st_mode & 07777 : 0600, there ? &like : NULL);
}

int file_make_directories(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(part, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int file_mark(const char *directory, const char *name, const char *text)
{
    char path[256];
    char line[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    snprintf(line, sizeof(line), "%s\n", text);
    sync(); /* the mark must not be on the disk before what it stands for */
    int result = file_make_directories(directory, 0755);
    if (result == 0)
        result = file_replace(path, line, 0644);
    sync();
    return result;
}

int file_copy(int from, const char *path, mode_t mode)
{
    struct stat info;
    int target = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (target < 0)
        return -errno;
    int result = fstat(from, &info) < 0 ? -errno : 0;
    ssize_t sent = 1;
    for (off_t left = info.st_size; result == 0 && left > 0 && sent > 0; left -= sent)
        if ((sent = sendfile(target, from, NULL, (size_t)left)) < 0)
            result = -errno;
    close(target);
    return result;
}
