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

#define FILE_MAX   (1024 * 1024)
#define COPY_CHUNK (1024 * 1024)

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

FILE *file_stream(int fd)
{
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    int problem = errno;
    if (fd >= 0 && file == NULL)
        close(fd);
    errno = problem;
    return file;
}

bool file_read_line_at(int directory, const char *path, char *line, size_t size)
{
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
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

bool file_read_line(const char *path, char *line, size_t size)
{
    return file_read_line_at(AT_FDCWD, path, line, size);
}

/* Files in /proc and /sys have no size. Reading one byte more than fits detects a file that is too
 * large. */
static char *read_whole(int fd)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return NULL;
    size_t size = info.st_size > 0 && info.st_size < FILE_MAX ? (size_t)info.st_size : FILE_MAX;
    char *text = malloc(size + 1);
    ssize_t length = text != NULL ? read_all(fd, text, size + 1) : -1;
    if (length > (ssize_t)size) {
        errno = EFBIG;
        length = -1;
    }
    if (length < 0) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

static char *read_at(int directory, const char *path)
{
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? read_whole(fd) : NULL;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return text;
}

char *file_read(const char *path)
{
    return read_at(AT_FDCWD, path);
}

int file_write_all(int fd, const char *text, size_t size)
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
    int result = file_write_all(fd, text, strlen(text));
    close(fd);
    return result;
}

int file_write(const char *path, const char *text)
{
    return file_write_at(AT_FDCWD, path, text);
}

static bool is_already(int directory, const char *path, const char *text)
{
    struct stat info;
    if (fstatat(directory, path, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode))
        return false;
    char *now = read_at(directory, path);
    bool same = now != NULL && strcmp(now, text) == 0;
    free(now);
    return same;
}

int file_replace_at(int directory, const char *path, const char *text, mode_t mode)
{
    char temporary[PATH_MAX];
    if (is_already(directory, path, text))
        return 0;
    snprintf(temporary, sizeof(temporary), "%s.berth-new", path);
    unlinkat(directory, temporary, 0);
    int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;

    int result = file_write_all(fd, text, strlen(text));
    if (result == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        result = -errno;
    close(fd);
    if (result == 0 && renameat(directory, temporary, directory, path) < 0)
        result = -errno;
    if (result < 0)
        unlinkat(directory, temporary, 0);
    return result;
}

int file_replace(const char *path, const char *text, mode_t mode)
{
    return file_replace_at(AT_FDCWD, path, text, mode);
}

int file_make_directories_at(int directory, const char *path, mode_t mode)
{
    char part[PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(directory, part, mode) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdirat(directory, part, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int file_make_directories(const char *path, mode_t mode)
{
    return file_make_directories_at(AT_FDCWD, path, mode);
}

int file_mark(const char *directory, const char *name, const char *text)
{
    char path[256];
    char line[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    snprintf(line, sizeof(line), "%s\n", text);
    sync(); /* the marked work must be on disk first */
    int result = file_make_directories(directory, 0755);
    if (result == 0)
        result = file_replace(path, line, 0644);
    sync();
    return result;
}

int file_copy_bytes(int from, int to)
{
    ssize_t sent = 1;
    while (sent > 0 || (sent < 0 && errno == EINTR))
        sent = sendfile(to, from, NULL, COPY_CHUNK);
    return sent < 0 ? -errno : 0;
}

int file_copy(int from, const char *path, mode_t mode)
{
    int target = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (target < 0)
        return -errno;
    int result = file_copy_bytes(from, target);
    close(target);
    return result;
}

void file_sync_root(void)
{
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return;
    syncfs(root);
    close(root);
}
