/* SPDX-License-Identifier: MIT */
#include "file.h"

#include "input_end.h"
#include "tilde.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_USAGE 2
#define CHUNK        65536
#define NEW_NAME     64 /* bytes of the name of a file that is not complete */

static int fail(const char *step, int number)
{
    dprintf(STDERR_FILENO, "%s %d\n", step, number);
    return EXIT_FAILURE;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *ret_number = number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number <= INT64_MAX;
}

static ssize_t read_some(int fd, void *bytes, size_t size)
{
    ssize_t count;
    do
        count = read(fd, bytes, size);
    while (count < 0 && errno == EINTR);
    return count;
}

/* 0 or an errno. */
static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR)
            return errno;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* ---- read ---- */

static int put_part(int fd, uint64_t limit)
{
    char bytes[CHUNK];
    while (limit > 0) {
        ssize_t count = read_some(fd, bytes, limit < CHUNK ? (size_t)limit : CHUNK);
        if (count < 0)
            return fail(FILE_STEP_READ, errno);
        if (count == 0)
            break;
        if (write_all(STDOUT_FILENO, bytes, (size_t)count) != 0)
            return EXIT_FAILURE; /* the host has gone */
        limit -= (uint64_t)count;
    }
    return EXIT_SUCCESS;
}

static int put_file(int fd, uint64_t offset, uint64_t limit)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return fail(FILE_STEP_OPEN, errno);
    if (!S_ISREG(info.st_mode))
        return fail(FILE_STEP_SPECIAL, S_ISDIR(info.st_mode) ? EISDIR : EINVAL);
    if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return fail(FILE_STEP_READ, errno);
    dprintf(STDOUT_FILENO, "%llu\n", (unsigned long long)info.st_size);
    return put_part(fd, limit);
}

static int read_file(char *path, uint64_t offset, uint64_t limit)
{
    int fd = open(tilde_remove(path), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail(FILE_STEP_OPEN, errno);
    int status = put_file(fd, offset, limit);
    close(fd);
    return status;
}

/* ---- write ---- */

typedef struct {
    char path[PATH_MAX]; /* without links */
    char *name;          /* in path */
    int directory;
    bool exists;
    struct stat info; /* of the file that exists */
    char new_name[NEW_NAME];
    int new_fd;
} Target;

/* A link that leads to no file stays: ENOENT. */
static int find_path(Target *target, const char *path)
{
    struct stat info;
    if (realpath(path, target->path) != NULL)
        return 0;
    if (errno != ENOENT || lstat(path, &info) == 0 || path[0] == '\0')
        return errno != 0 ? errno : ENOENT;
    size_t length = strlen(path);
    if (path[length - 1] == '/')
        return EISDIR;
    if (length >= sizeof(target->path))
        return ENAMETOOLONG;
    memcpy(target->path, path, length + 1);
    return 0;
}

/* Open the directory that has the file, and split the path. */
static int open_directory(Target *target)
{
    char *slash = strrchr(target->path, '/');
    const char *directory = slash == NULL ? "." : slash == target->path ? "/" : target->path;
    target->name = slash != NULL ? slash + 1 : target->path;
    if (slash != NULL && slash != target->path)
        *slash = '\0';
    target->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return target->directory >= 0 ? 0 : errno;
}

/* Whoever could replace a file that he must not write does not do so here. */
static int check_existing(Target *target, const char **ret_step)
{
    *ret_step = FILE_STEP_OPEN;
    if (fstatat(target->directory, target->name, &target->info, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : errno;
    target->exists = true;
    if (!S_ISREG(target->info.st_mode)) {
        *ret_step = FILE_STEP_SPECIAL;
        return S_ISDIR(target->info.st_mode) ? EISDIR : EINVAL;
    }
    return faccessat(target->directory, target->name, W_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int create(Target *target)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    snprintf(target->new_name, sizeof(target->new_name), ".berth-write-%d", (int)getpid());
    target->new_fd =
        openat(target->directory, target->new_name, flags, target->exists ? 0600 : 0666);
    return target->new_fd >= 0 ? 0 : errno;
}

static int take_input(int fd, uint64_t size, const char **ret_step)
{
    char bytes[CHUNK];
    while (size > 0) {
        ssize_t count = read_some(STDIN_FILENO, bytes, size < CHUNK ? (size_t)size : CHUNK);
        if (count <= 0) {
            *ret_step = FILE_STEP_INPUT;
            return count < 0 ? errno : ECANCELED;
        }
        int result = write_all(fd, bytes, (size_t)count);
        if (result != 0)
            return result;
        size -= (uint64_t)count;
    }
    return 0;
}

/* The owner comes first: a change of it clears the set-user-ID bit. A file whose owner cannot be
 * kept has no such bit. */
static int keep_attributes(const Target *target)
{
    mode_t mode = target->info.st_mode & 07777;
    if (!target->exists)
        return 0;
    if (fchown(target->new_fd, target->info.st_uid, target->info.st_gid) < 0)
        mode &= 0777;
    return fchmod(target->new_fd, mode) == 0 ? 0 : errno;
}

static int fill(Target *target, uint64_t size, const char **ret_step)
{
    int result = take_input(target->new_fd, size, ret_step);
    if (result == 0)
        result = keep_attributes(target);
    if (result == 0 && fsync(target->new_fd) < 0)
        result = errno;
    if (result == 0 &&
        renameat(target->directory, target->new_name, target->directory, target->name) < 0)
        result = errno;
    if (result != 0)
        unlinkat(target->directory, target->new_name, 0);
    else
        fsync(target->directory); /* the name is on the disk, too */
    return result;
}

static int write_file(char *path, uint64_t size)
{
    Target target = {.directory = -1, .new_fd = -1};
    const char *step = FILE_STEP_OPEN;
    input_end_on_signals();
    signal(SIGXFSZ, SIG_IGN);
    int result = find_path(&target, tilde_remove(path));
    if (result == 0)
        result = open_directory(&target);
    if (result == 0)
        result = check_existing(&target, &step);
    if (result == 0) {
        step = FILE_STEP_WRITE;
        result = create(&target);
    }
    if (result == 0)
        result = fill(&target, size, &step);
    if (target.new_fd >= 0)
        close(target.new_fd);
    if (target.directory >= 0)
        close(target.directory);
    return result == 0 ? EXIT_SUCCESS : fail(step, result);
}

int file_main(char **argv)
{
    uint64_t first, second;
    const char *verb = argv[0] != NULL ? argv[0] : "";
    bool known = argv[0] != NULL && argv[1] != NULL && argv[2] != NULL;
    prctl(PR_SET_NAME, "berth-file");
    if (known && strcmp(verb, "write") == 0 && argv[3] == NULL && read_number(argv[1], &first))
        return write_file(argv[2], first);
    if (known && strcmp(verb, "read") == 0 && argv[3] != NULL && argv[4] == NULL &&
        read_number(argv[1], &first) && read_number(argv[2], &second))
        return read_file(argv[3], first, second);
    return STATUS_USAGE;
}
