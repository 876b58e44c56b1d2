/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include "file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cgroup_parse(const char *text, char *path, size_t size)
{
    while (strncmp(text, "0::/", 4) != 0) {
        text = strchr(text, '\n');
        if (text == NULL)
            return false;
        text++;
    }
    text += 3;
    size_t length = strcspn(text, "\n");
    if (length >= size)
        return false;
    memcpy(path, text, length);
    path[length] = '\0';
    return true;
}

bool cgroup_directory(pid_t pid, char *directory, size_t size)
{
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
    char *text = file_read(name);
    bool found = text != NULL && cgroup_parse(text, path, sizeof(path));
    free(text);
    return found && snprintf(directory, size, "/sys/fs/cgroup%s", path) < (int)size;
}

int cgroup_open_distro(const char *root)
{
    char path[PATH_MAX];
    if (root == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/" CGROUP_DISTRO, root);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_join_distro(void)
{
    file_write("/sys/fs/cgroup/" CGROUP_DISTRO "/cgroup.procs", "0");
}
