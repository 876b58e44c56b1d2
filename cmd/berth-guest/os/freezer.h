/* SPDX-License-Identifier: MIT
 *
 * freezer — stops all processes of the distro, and lets them continue, by cgroup v2.
 *
 * Freezes each group below the root of the hierarchy but the one that the caller is in: so the
 * agent, and an init that is in its group, run on. Where there is no such hierarchy, as with an
 * init of the distro's own that mounts none, there is nothing to freeze, which is no error.
 *
 * A process in the kernel, as one that waits for a file system, is frozen when it comes back: it
 * runs no line of its own program before the thaw.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define FREEZER_ROOT "/sys/fs/cgroup"

/* A function that the child process calls before it freezes anything. */
typedef struct {
    void (*prepare)(void *data); /* or NULL */
    void *data;
} FreezerPlan;

/* Begin to freeze the groups below @root (NULL: none), in a child process, after @plan. If it
 * @writes, it first writes the file systems to the disk, and at last freezes that of "/": then its
 * image is clean, without a journal to replay, and who writes to it waits. The latter is so until
 * the caller closes *@ret_hold, or ends; -1: there is nothing to close. The child's exit status is
 * 0, or an errno. Returns its pid, or -errno. */
pid_t freezer_start(const char *root, bool writes, const FreezerPlan *plan, int *ret_hold);

/* Let the groups continue. 0, or -errno of the first that could not. */
int freezer_thaw(const char *root);
