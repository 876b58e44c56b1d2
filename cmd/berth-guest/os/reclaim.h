/* SPDX-License-Identifier: MIT
 *
 * reclaim — gives memory that the distro does not need back to the host.
 *
 * The page cache goes first: the kernel chooses its coldest pages (memory.reclaim of the root
 * control group). Then free memory in small pieces is joined, since the kernel reports only large
 * free blocks to the host. The memory of processes is touched only if the host is short of its own,
 * and only where there is swap.
 *
 * Where there are no control groups, the kernel drops all of its unused page cache instead.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    const char *cgroups; /* the root of cgroup v2's hierarchy; NULL: none */
    const char *proc;    /* of the kernel whose memory it is; NULL: none */
    bool writes;         /* write the root file system first: dirty pages cannot be reclaimed */
} ReclaimSystem;

/* Of /proc/vmstat, bytes. */
typedef struct {
    uint64_t free;
    uint64_t refaulted; /* page cache that was reclaimed and read again, since the boot */
} ReclaimCounts;

/* All 0 where they cannot be read. */
ReclaimCounts reclaim_counts(const ReclaimSystem *system);

/* How long processes of the distro have waited for memory or for the disk (PSI) since the boot,
 * microseconds; 0 where that is not known. */
uint64_t reclaim_stalled_usec(const ReclaimSystem *system);

/* Give back what can be had at once; with @urgent also half of the memory of processes, by swap.
 * 0, or -errno of a step that is not available. */
int reclaim_run(const ReclaimSystem *system, bool urgent);

/* The same in a child process. Unless @urgent it first looks whether processes wait for memory or
 * for the disk: then their page cache is of use, and the exit status is EBUSY. Else it is 0, or
 * another errno. Returns its pid, or -errno. */
pid_t reclaim_start(const ReclaimSystem *system, bool urgent);
