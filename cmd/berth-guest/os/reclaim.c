/* SPDX-License-Identifier: MIT */
#include "reclaim.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * 1024u)

/* Of one write to memory.reclaim, so that a request that cannot be met is soon noticed. */
#define CHUNK (64u * MIB)
/* Free memory in smaller pieces than a block is joined when it is at least this much. */
#define PIECES_MIN (32u * MIB)
/* Of 4 KiB pages: the kernel reports free blocks of 2 MiB (pageblock_order). */
#define BLOCK_ORDER 9
/* The distro is busy if its processes wait for this share of the time, looked at for so long. */
#define BUSY_PERCENT     5
#define BUSY_WINDOW_USEC 500000L
/* The range of the key "swappiness" of memory.reclaim: page cache only, and the reverse. */
#define ONLY_PAGE_CACHE 0
#define ONLY_PROCESSES  200

/* ---- what the kernel reports ---- */

static char *read_proc(const ReclaimSystem *system, const char *name)
{
    char path[PATH_MAX];
    if (system->proc == NULL)
        return NULL;
    snprintf(path, sizeof(path), "%s/%s", system->proc, name);
    return file_read(path);
}

/* The number after @key at the begin of a line of @text, which may be NULL; else 0. */
static uint64_t find_number(const char *text, const char *key)
{
    size_t length = strlen(key);
    while (text != NULL && strncmp(text, key, length) != 0) {
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
    return text != NULL ? strtoull(text + length, NULL, 10) : 0;
}

ReclaimCounts reclaim_counts(const ReclaimSystem *system)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char *text = read_proc(system, "vmstat");
    ReclaimCounts counts = {
        .free = find_number(text, "nr_free_pages ") * page,
        .refaulted = find_number(text, "workingset_refault_file ") * page,
    };
    free(text);
    return counts;
}

static uint64_t stalled_usec(const ReclaimSystem *system, const char *name)
{
    char *text = read_proc(system, name);
    const char *total =
        text != NULL && strncmp(text, "some ", 5) == 0 ? strstr(text, "total=") : NULL;
    uint64_t usec = total != NULL ? strtoull(total + strlen("total="), NULL, 10) : 0;
    free(text);
    return usec;
}

uint64_t reclaim_stalled_usec(const ReclaimSystem *system)
{
    return stalled_usec(system, "pressure/memory") + stalled_usec(system, "pressure/io");
}

/* PSI's own averages remember the last seconds: a distro that has just read a large file is no
 * longer busy. */
static bool is_busy(const ReclaimSystem *system)
{
    const struct timespec window = {.tv_nsec = BUSY_WINDOW_USEC * 1000L};
    uint64_t before = reclaim_stalled_usec(system);
    nanosleep(&window, NULL);
    uint64_t waited = reclaim_stalled_usec(system) - before;
    return waited * 100 >= (uint64_t)BUSY_WINDOW_USEC * BUSY_PERCENT;
}

/* Bytes of free memory in pieces that the kernel does not report to the host. */
static uint64_t free_pieces(const ReclaimSystem *system)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t pages = 0;
    char *text = read_proc(system, "buddyinfo"), *rest = text;
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        char *zone = strstr(line, "zone");
        char *next = zone != NULL ? zone + strlen("zone") : line + strlen(line);
        next += strspn(next, " ");
        next += strcspn(next, " "); /* the zone's name */
        for (unsigned order = 0; order < BLOCK_ORDER; order++)
            pages += strtoull(next, &next, 10) << order;
    }
    free(text);
    return pages * page;
}

/* ---- what it is asked for ---- */

static int ask(int groups, uint64_t size, int swappiness)
{
    char text[64];
    snprintf(text, sizeof(text), "%llu swappiness=%d", (unsigned long long)size, swappiness);
    return file_write_at(groups, "memory.reclaim", text);
}

/* -EAGAIN, when there is less to be had than @size, is no failure. */
static int reclaim(int groups, uint64_t size, int swappiness)
{
    int result = 0;
    while (size > 0 && result == 0) {
        uint64_t chunk = size < CHUNK ? size : CHUNK;
        result = ask(groups, chunk, swappiness);
        size -= chunk;
    }
    return result == -EAGAIN ? 0 : result;
}

static int set_proc(const ReclaimSystem *system, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", system->proc, name);
    return file_write(path, "1");
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static int reclaim_groups(const ReclaimSystem *system, int groups, bool urgent)
{
    char *text = read_proc(system, "meminfo");
    uint64_t cache = find_number(text, "Inactive(file):") * KIB;
    uint64_t processes = find_number(text, "AnonPages:") * KIB / 2;
    uint64_t swap = find_number(text, "SwapFree:") * KIB;
    free(text);
    int result = reclaim(groups, cache, ONLY_PAGE_CACHE);
    if (result == 0 && urgent)
        result = reclaim(groups, smaller(processes, swap), ONLY_PROCESSES);
    return result;
}

int reclaim_run(const ReclaimSystem *system, bool urgent)
{
    if (system->proc == NULL)
        return -ENOSYS;
    if (system->writes)
        file_sync_root();
    int groups =
        system->cgroups != NULL ? open(system->cgroups, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = groups >= 0 ? reclaim_groups(system, groups, urgent) : -ENOENT;
    if (groups >= 0)
        close(groups);
    if (result < 0)
        result = set_proc(system, "sys/vm/drop_caches");
    if (free_pieces(system) >= PIECES_MIN)
        set_proc(system, "sys/vm/compact_memory");
    return result;
}

pid_t reclaim_start(const ReclaimSystem *system, bool urgent)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    _exit(!urgent && is_busy(system) ? EBUSY : -reclaim_run(system, urgent));
}
