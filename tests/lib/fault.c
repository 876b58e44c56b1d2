/* SPDX-License-Identifier: MIT
 *
 * fault — injects I/O errors into one program. Loaded with LD_PRELOAD.
 *
 *     BERTH_FAULT_PROGRAM  the name of the program; others run unchanged
 *     BERTH_FAULT_AT       the number of the call to hit, from 1: calls that write, resize, sync or
 *                          name files on a disk, and with a kill also calls that remove
 *     BERTH_FAULT_CALL     only calls of this name are counted, as in "fdatasync"; with "close",
 *                          those that close a distro's disk without a name
 *     BERTH_FAULT_ERROR    the errno of that call and all after it; 0: kill the program;
 *                          -1: stop the program before that call (SIGSTOP)
 *     BERTH_FAULT_WHILE    instead of AT and ERROR, the path of a file: while it exists, the calls
 *                          that its lines name fail. "write 5": each write fails with errno 5;
 *                          also "read" and "sync"
 *
 * A full disk stays full: later calls fail too, except those that only remove.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

typedef enum { READ, WRITE, SYNC, OTHER } Kind;

static const char *const kind_names[] = {"read", "write", "sync", "other"};
static bool wanted;
static long hit_at;
static int fault;
static const char *while_path;
static const char *only;
static atomic_long calls;

__attribute__((constructor)) static void read_environment(void)
{
    const char *program = getenv("BERTH_FAULT_PROGRAM");
    const char *at = getenv("BERTH_FAULT_AT");
    const char *number = getenv("BERTH_FAULT_ERROR");
    while_path = getenv("BERTH_FAULT_WHILE");
    only = getenv("BERTH_FAULT_CALL");
    wanted = program != NULL && strcmp(program, program_invocation_short_name) == 0 &&
             ((at != NULL && number != NULL) || while_path != NULL);
    hit_at = wanted && at != NULL ? atol(at) : 0;
    fault = wanted && number != NULL ? atoi(number) : 0;
}

/* The errno in the file at while_path for calls of @kind; 0 if none. */
static int switched_on(Kind kind)
{
    FILE *file = fopen(while_path, "re");
    if (file == NULL)
        return 0;
    char name[16];
    int number = 0;
    int found = 0;
    while (found == 0 && fscanf(file, "%15s %d", name, &number) == 2)
        found = strcmp(name, kind_names[kind]) == 0 ? number : 0;
    fclose(file);
    return found;
}

/* Whether this call fails; sets errno. */
static bool fails(Kind kind, const char *name)
{
    if (wanted && while_path != NULL) {
        int saved = errno;
        int number = switched_on(kind);
        errno = number != 0 ? number : saved;
        return number != 0;
    }
    bool counts = kind != READ && (only == NULL || strcmp(only, name) == 0);
    long call = wanted && counts ? atomic_fetch_add(&calls, 1) + 1 : 0;
    if (call == 0 || call < hit_at)
        return false;
    if (fault < 0)
        return call == hit_at && raise(SIGSTOP) != 0;
    if (fault == 0) {
        kill(getpid(), SIGKILL);
        __builtin_trap(); /* the sandbox forbids kill */
    }
    errno = fault;
    return true;
}

/* Removals never fail, but the program may be killed before one. */
static bool may_be_killed(void)
{
    return fault == 0;
}

static bool is_file(int fd)
{
    struct stat status;
    int saved = errno;
    bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    errno = saved;
    return regular;
}

static bool is_removed_disk(int fd)
{
    char link[32];
    char path[4096];
    if (only == NULL || strcmp(only, "close") != 0)
        return false;
    int saved = errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    errno = saved;
    return strstr(path, "/disk.ext4 (deleted)") != NULL;
}

#define WRAP(result, name, parameters, arguments, kind, applies)                                   \
    result name parameters                                                                         \
    {                                                                                              \
        __typeof__(&name) real = NULL;                                                             \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&real, &symbol, sizeof(real));                                                      \
        return (applies) && fails(kind, #name) ? (result)-1 : real arguments;                      \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), WRITE, is_file(fd))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at),
     WRITE, true)
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *data, int count, off_t at),
     (fd, data, count, at), WRITE, true)
WRAP(ssize_t, pread64, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), READ,
     true)
WRAP(ssize_t, preadv64, (int fd, const struct iovec *data, int count, off_t at),
     (fd, data, count, at), READ, true)
WRAP(int, ftruncate64, (int fd, off_t size), (fd, size), WRITE, true)
WRAP(int, fdatasync, (int fd), (fd), SYNC, true)
WRAP(int, fsync, (int fd), (fd), SYNC, true)
WRAP(int, sync_file_range, (int fd, off_t at, off_t size, unsigned flags), (fd, at, size, flags),
     SYNC, true)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), OTHER, true)
WRAP(int, linkat, (int from, const char *old, int to, const char *path, int flags),
     (from, old, to, path, flags), OTHER, true)
WRAP(int, fallocate64, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), WRITE,
     (mode & FALLOC_FL_PUNCH_HOLE) == 0)
WRAP(ssize_t, copy_file_range,
     (int from, off_t *at, int to, off_t *offset, size_t size, unsigned flags),
     (from, at, to, offset, size, flags), WRITE, true)
WRAP(int, close, (int fd), (fd), OTHER, is_removed_disk(fd))
WRAP(int, rename, (const char *old, const char *path), (old, path), OTHER, true)
WRAP(int, unlink, (const char *path), (path), OTHER, may_be_killed())
WRAP(int, unlinkat, (int directory, const char *path, int flags), (directory, path, flags), OTHER,
     may_be_killed())
WRAP(int, rmdir, (const char *path), (path), OTHER, may_be_killed())
