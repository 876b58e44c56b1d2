/* SPDX-License-Identifier: MIT */
#include "freezer.h"

#include "cgroup.h"
#include "clock.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long all groups together may take to freeze; after that their processes do as they leave the
 * kernel. */
#define FREEZE_MSEC 2000

/* The group right below the root that this process is in; "" for the root. */
static void find_own(char *name, size_t size)
{
    char path[PATH_MAX] = "/";
    char *text = file_read("/proc/self/cgroup");
    if (text != NULL)
        cgroup_parse(text, path, sizeof(path));
    free(text);
    snprintf(name, size, "%.*s", (int)strcspn(path + 1, "/"), path + 1);
}

static bool is_frozen(int root, const char *group)
{
    char path[PATH_MAX], line[64];
    snprintf(path, sizeof(path), "%s/cgroup.events", group);
    int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    FILE *stream = file_stream(fd);
    bool frozen = stream == NULL; /* it was removed */
    while (stream != NULL && fgets(line, sizeof(line), stream) != NULL)
        frozen |= strcmp(line, "frozen 1\n") == 0;
    if (stream != NULL)
        fclose(stream);
    return frozen;
}

/* Wait for a change that @watch reports. False: @deadline (usec of clock_boottime_usec) is over. */
static bool wait_change(int watch, uint64_t deadline)
{
    char events[sizeof(struct inotify_event) + NAME_MAX + 1];
    uint64_t now = clock_boottime_usec();
    struct pollfd wait = {.fd = watch, .events = POLLIN};
    if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000) + 1) <= 0)
        return false;
    return read(watch, events, sizeof(events)) > 0;
}

/* The kernel reports a change of cgroup.events as a modification (cgroup-v2.rst, "[Un]populated
 * Notification"). Without inotify the group is not waited for. */
static int wait_frozen(int root, const char *group, uint64_t deadline)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s/cgroup.events", root, group);
    int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0)
        return 0;
    bool waits = inotify_add_watch(watch, path, IN_MODIFY) >= 0;
    while (waits && !is_frozen(root, group))
        waits = wait_change(watch, deadline);
    close(watch);
    return 0;
}

static int set_group(int root, const char *group, const char *value)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/cgroup.freeze", group);
    int result = file_write_at(root, path, value);
    return result == -ENOENT || result == -ENODEV ? 0 : result; /* it was removed, or is none */
}

static int freeze_group(int root, const char *group, uint64_t deadline)
{
    return set_group(root, group, "1");
}

static int thaw_group(int root, const char *group, uint64_t deadline)
{
    return set_group(root, group, "0");
}

/* Returns 0, or the first failure; goes on after one. */
static int each_group(const char *path,
                      int (*function)(int root, const char *group, uint64_t deadline))
{
    char own[NAME_MAX + 1];
    int result = 0;
    uint64_t deadline = clock_boottime_usec() + FREEZE_MSEC * 1000;
    find_own(own, sizeof(own));
    DIR *directory = path != NULL ? opendir(path) : NULL;
    if (directory == NULL)
        return path == NULL || errno == ENOENT ? 0 : -errno;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0)
            continue;
        int one = function(dirfd(directory), entry->d_name, deadline);
        result = result == 0 ? one : result;
    }
    closedir(directory);
    return result;
}

int freezer_thaw(const char *root)
{
    return each_group(root, thaw_group);
}

/* Freeze the root's file system, close @ready, and thaw it once @hold is at EOF. One that cannot be
 * frozen, or is frozen by a program of the distro's, is left as it is. */
__attribute__((noreturn)) static void hold_root(int hold, int ready)
{
    char byte;
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool frozen = root >= 0 && ioctl(root, FIFREEZE, 0) == 0;
    close(ready);
    while (read(hold, &byte, 1) < 0 && errno == EINTR)
        continue;
    if (frozen)
        ioctl(root, FITHAW, 0);
    _exit(EXIT_SUCCESS);
}

/* In a process of its own: nothing that it waits for may need it, and the caller may be killed. It
 * holds no end but those that it needs, so that the agent's is the last. */
static void start_holder(int hold)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        hold_root(hold, ready[1]);
    }
    close(ready[1]);
    while (pid > 0 && read(ready[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    close(ready[0]);
}

static int freeze(const char *root, int hold)
{
    const bool writes = hold >= 0;
    if (writes)
        sync();
    int result = each_group(root, freeze_group);
    if (result < 0) {
        freezer_thaw(root);
        return result;
    }
    each_group(root, wait_frozen);
    if (!writes)
        return 0;
    file_sync_root(); /* once more: a process may have written meanwhile */
    start_holder(hold);
    return 0;
}

static pid_t fork_freezer(const char *root, const FreezerPlan *plan, const int *pair)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    if (pair[1] >= 0)
        close(pair[1]);
    if (plan->prepare != NULL)
        plan->prepare(plan->data);
    _exit(-freeze(root, pair[0]));
}

pid_t freezer_start(const char *root, bool writes, const FreezerPlan *plan, int *ret_hold)
{
    int pair[2] = {-1, -1};
    if (writes && pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork_freezer(root, plan, pair);
    if (pair[0] >= 0)
        close(pair[0]);
    if (pid < 0 && pair[1] >= 0)
        close(pair[1]);
    *ret_hold = pid < 0 ? -1 : pair[1];
    return pid;
}
