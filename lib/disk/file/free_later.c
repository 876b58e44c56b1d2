/* SPDX-License-Identifier: MIT */
#include "free_later.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- in the child: async-signal-safe calls only ----------------------------------------------- */

static void close_all_but(unsigned low, unsigned high)
{
    if (low > 0)
        close_range(0, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0U, 0);
}

/* Adopted by init, so that no process has to wait for it. */
static void keep_open(int file, int starter)
{
    char byte;
    setsid();
    if (fork() != 0)
        _exit(0);
    close_all_but((unsigned)MIN(file, starter), (unsigned)MAX(file, starter));
    if (chdir("/") < 0) /* else the caller's directory stays in use */
        _exit(1);
    while (read(starter, &byte, 1) < 0 && errno == EINTR)
        continue;
    close(file);
    _exit(0);
}

/* --- in the starter --------------------------------------------------------------------------- */

int berth_free_later(const char *path)
{
    int ends[2];
    berth_autofd int file = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    berth_autofd int starter = ends[0];
    berth_autofd int held = ends[1];
    pid_t child = fork();
    if (child == 0)
        keep_open(file, starter);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) /* of the double fork */
        continue;
    return child > 0 ? berth_fd_steal(&held) : -1;
}
