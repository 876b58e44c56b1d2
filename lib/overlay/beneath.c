/* SPDX-License-Identifier: MIT */
#include "beneath.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2 takes less than PATH_MAX at once; a deeper path is resolved in parts. */
#define PART_MAX 4000u

static int open_part(int fd, const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                                 .resolve =
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long found;
    do {
        found = syscall(SYS_openat2, fd, path, &how, sizeof(how));
    } while (found < 0 && (errno == EAGAIN || errno == EINTR)); /* a rename on the way */
    return found < 0 ? -errno : (int)found;
}

int berth_beneath_open(int root, const char *path)
{
    g_autofree char *copy = g_strdup(path);
    berth_autofd int at = -1;
    char *rest = copy;
    while (strlen(rest) > PART_MAX) {
        char *cut = rest + PART_MAX;
        while (*cut != '/')
            cut--; /* a name has at most 255 bytes */
        *cut = '\0';
        int next = open_part(at >= 0 ? at : root, rest);
        berth_fd_close(&at);
        if (next < 0)
            return next;
        at = next;
        rest = cut + 1;
    }
    return open_part(at >= 0 ? at : root, rest);
}
