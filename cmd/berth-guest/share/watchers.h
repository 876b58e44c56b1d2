/* SPDX-License-Identifier: MIT
 *
 * watchers — which files of the shares processes of the distro watch by inotify. A change of one by
 * the host is what such a process waits for, so the host wakes a suspended distro for it.
 *
 * Source: proc(5), /proc/PID/fdinfo/FD; fs/fuse/inode.c, fuse_encode_fh().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More are left out. */
#define WATCHERS_MAX 8192u

typedef struct {
    uint64_t node; /* its number in FUSE */
    uint32_t mask; /* inotify's events */
} Watcher;

/* Read a @line of an fdinfo. False: it is no watch of a file of the FUSE file system @device. */
bool watchers_parse(const char *line, dev_t device, Watcher *ret_watcher);

/* Fill @watchers, which has room for WATCHERS_MAX, with each node of @device that a process in
 * @proc watches once, with all its events, by number. Those of berth's own programs do
 * not count. Returns their number. */
size_t watchers_list(const char *proc, dev_t device, Watcher *watchers);
