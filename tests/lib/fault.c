/* SPDX-License-Identifier: MIT
 *
 * fault — a disk that fails, for one program at one moment. Loaded with LD_PRELOAD.
 *
 *     BERTH_FAULT_PROGRAM  the name of the program it is for; others run as if nothing were loaded
 *     BERTH_FAULT_AT       the how manieth call it hits, from 1: those that write, size, sync or
 *                          name files on a disk, and where it is killed also those that take away
 *     BERTH_FAULT_ERROR    the errno that call and all after it return; 0: the program is killed
 *
 * A disk that is full stays full: later calls fail too, but for those that only take away.
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
#include <unistd.h>

static bool wanted;
static long hit_at;
static int fault;
static atomic_long calls;

__attribute__((constructor)) static void read_environment(void)
{
    const char *program = getenv("BERTH_FAULT_PROGRAM");
    const char *at = getenv("BERTH_FAULT_AT");
    const char *number = getenv("BERTH_FAULT_ERROR");
    wanted = program != NULL && at != NULL && number != NULL &&
             strcmp(program, program_invocation_short_name) == 0;
    hit_at = wanted ? atol(at) : 0;
    fault = wanted ? atoi(number) : 0;
}

/* Whether this call fails; errno is set then. */
static bool fails(void)
{
    if (!wanted || atomic_fetch_add(&calls, 1) + 1 < hit_at)
        return false;
    if (fault == 0) {
        kill(getpid(), SIGKILL);
        __builtin_trap(); /* a sandbox does not let it */
    }
    errno = fault;
    return true;
}

/* Taking away never fails, but a program may die before it has. */
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

#define WRAP(result, name, parameters, arguments, applies)                                         \
    result name parameters                                                                         \
    {                                                                                              \
        __typeof__(&name) real = NULL;                                                             \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&real, &symbol, sizeof(real));                                                      \
        return (applies) && fails() ? (result)-1 : real arguments;                                 \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), is_file(fd))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at),
     true)
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), true)
WRAP(int, fdatasync, (int fd), (fd), true)
WRAP(int, fsync, (int fd), (fd), true)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), true)
WRAP(int, linkat, (int from, const char *old, int to, const char *path, int flags),
     (from, old, to, path, flags), true)
WRAP(int, fallocate64, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size),
     (mode & FALLOC_FL_PUNCH_HOLE) == 0)
WRAP(ssize_t, copy_file_range,
     (int from, off64_t *at, int to, off64_t *offset, size_t size, unsigned flags),
     (from, at, to, offset, size, flags), true)
WRAP(int, rename, (const char *old, const char *path), (old, path), true)
WRAP(int, unlink, (const char *path), (path), may_be_killed())
WRAP(int, unlinkat, (int directory, const char *path, int flags), (directory, path, flags),
     may_be_killed())
WRAP(int, rmdir, (const char *path), (path), may_be_killed())
