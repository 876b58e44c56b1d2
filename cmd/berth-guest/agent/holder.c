/* SPDX-License-Identifier: MIT */
#include "holder.h"

#include "os/cgroup.h"
#include "os/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A user may give a process of theirs this name: what it leads to is theirs, too. */
static bool is_holder(pid_t pid, uid_t uid)
{
    char path[32], name[32];
    struct stat info;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    if (stat(path, &info) < 0 || info.st_uid != uid)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    return file_read_line(path, name, sizeof(name)) && strcmp(name, HOLDER_NAME) == 0;
}

pid_t holder_find(uid_t uid)
{
    pid_t found = 0;
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    while (found == 0 && processes != NULL && (entry = readdir(processes)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && is_holder(pid, uid))
            found = pid;
    }
    if (processes != NULL)
        closedir(processes);
    return found;
}

void holder_join(pid_t holder)
{
    char wanted[PATH_MAX], own[PATH_MAX], procs[PATH_MAX + 16];
    if (!cgroup_directory(holder, wanted, sizeof(wanted)) ||
        !cgroup_directory(getpid(), own, sizeof(own)) || strcmp(own, wanted) == 0)
        return;
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", wanted);
    file_write(procs, "0");
}
