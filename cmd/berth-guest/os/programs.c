/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST PROGRAMS_DIRECTORY "/berth-host" /* the copy; others are links to it */

static int copy_self(const char *path)
{
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0)
        return -errno;
    int result = file_copy(self, path, 0755);
    close(self);
    return result;
}

int programs_install(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), PROGRAMS_DIRECTORY "/%s", name);
    int result = file_make_directories(PROGRAMS_DIRECTORY, 0755);
    if (result < 0 || link(FIRST, path) == 0 || errno == EEXIST)
        return result;
    return copy_self(path);
}

bool programs_is(const char *argv0, const char *name)
{
    const char *slash = strrchr(argv0, '/');
    return strcmp(slash != NULL ? slash + 1 : argv0, name) == 0;
}
