/* SPDX-License-Identifier: MIT */
#include "container.h"

#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The second mark is from Docker before 1.11. */
static const struct {
    const char *name;
    const char *hidden;
} marks[] = {
    {".dockerenv", ".dockerenv.berth"},
    {".dockerinit", ".dockerinit.berth"},
};

void container_hide_marks(int root)
{
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        struct stat info;
        if (fstatat(root, marks[i].name, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode))
            continue;
        if (renameat2(root, marks[i].name, root, marks[i].hidden, RENAME_NOREPLACE) < 0)
            log_line("cannot hide /%s: %s", marks[i].name, strerror(errno));
    }
}
