/* SPDX-License-Identifier: MIT */
/* The control group of a process in the hierarchy of cgroup v2, of /proc/PID/cgroup (cgroups(7)).
 * Hierarchies of version 1 may be mounted beside it: each has a line there, before the one of
 * version 2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The group right below the root for all processes of a distro that has no init of its own, so that
 * they can be frozen; the agent and PID 1 stay in the root. */
#define CGROUP_DISTRO "distro"

/* That group's directory below @root, the hierarchy's (may be NULL); or -1: the distro's init makes
 * groups of its own, or there are none. */
int cgroup_open_distro(const char *root);

/* Move this process into that group, where there is one. Needs root. */
void cgroup_join_distro(void);

/* Find the group in @text, the content of that file: its path in the hierarchy, with a slash at
 * its begin. False: there is none, or @size is too small. */
bool cgroup_parse(const char *text, char *path, size_t size);

/* The directory of the group of @pid under /sys/fs/cgroup. False: as above, or no such process. */
bool cgroup_directory(pid_t pid, char *directory, size_t size);
