/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include "os/cgroup.h"
#include "os/file.h"
#include "os/log.h"

#include <errno.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK     "/dev/vda"
#define NEW_ROOT "/newroot"

typedef struct {
    const char *source;
    const char *target;
    const char *type;
    unsigned long flags;
    const char *options;
} Mount;

static const Mount kernel_mounts[] = {
    {"proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755"},
};

/* With systemd's options: it leaves existing mounts alone. */
static const Mount root_mounts[] = {
    {"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=20%,nr_inodes=800k"},
    {"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
    {"tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=01777"},
};

static const Mount cgroup_mount = {"cgroup2", "/sys/fs/cgroup", "cgroup2",
                                   MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate"};

/* File systems that systemd mounts by units, with their options. */
static const struct {
    const char *unit;
    Mount mount;
} unit_mounts[] = {
    {"dev-hugepages.mount", {"hugetlbfs", "/dev/hugepages", "hugetlbfs", 0, NULL}},
    {"dev-mqueue.mount",
     {"mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL}},
    {"sys-kernel-debug.mount",
     {"debugfs", "/sys/kernel/debug", "debugfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL}},
    {"sys-kernel-tracing.mount",
     {"tracefs", "/sys/kernel/tracing", "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL}},
    {"sys-kernel-config.mount",
     {"configfs", "/sys/kernel/config", "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL}},
    {"sys-fs-fuse-connections.mount",
     {"fusectl", "/sys/fs/fuse/connections", "fusectl", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL}},
};

/* relatime, the kernel's default, and not noatime: systemd-tmpfiles and mail readers go by access
 * times. Not lazytime: a machine that is killed would lose modification times for up to a day, and
 * make and rsync believe them. discard: what is deleted here is free on the host at once. An error
 * makes the disk read-only rather than worse. noinit_itable: the inode tables of a disk that grows
 * are zeroed as it does, which the host turns into holes, and not written out in the background. */
static const Mount disk_mount = {DISK, NEW_ROOT, "ext4", 0,
                                 "discard,errors=remount-ro,noinit_itable"};

static int mount_one(const Mount *what)
{
    mkdir(what->target, 0755);
    return mount(what->source, what->target, what->type, what->flags, what->options) < 0 ? -errno
                                                                                         : 0;
}

static int mount_all(const Mount *mounts, size_t count, const char **ret_what)
{
    for (size_t i = 0; i < count; i++) {
        int result = mount_one(&mounts[i]);
        if (result < 0 && result != -EBUSY) {
            *ret_what = mounts[i].target;
            return result;
        }
    }
    return 0;
}

/* Whether the distro has @unit, neither masked nor changed. */
static bool is_as_shipped(const char *unit)
{
    static const char *const shipped[] = {"/usr/lib/systemd/system", "/lib/systemd/system"};
    char path[128];
    snprintf(path, sizeof(path), "/etc/systemd/system/%s", unit);
    struct stat changed;
    if (lstat(path, &changed) == 0)
        return false;
    bool found = false;
    for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]) && !found; i++) {
        snprintf(path, sizeof(path), "%s/%s", shipped[i], unit);
        found = access(path, F_OK) == 0;
    }
    return found;
}

void mounts_for_systemd(void)
{
    for (size_t i = 0; i < sizeof(unit_mounts) / sizeof(unit_mounts[0]); i++)
        if (is_as_shipped(unit_mounts[i].unit))
            mount_one(&unit_mounts[i].mount); /* on failure systemd tries and logs why it cannot */
}

int mounts_kernel(const char **ret_what)
{
    return mount_all(kernel_mounts, sizeof(kernel_mounts) / sizeof(kernel_mounts[0]), ret_what);
}

int mounts_disk(const char **ret_what)
{
    return mount_all(&disk_mount, 1, ret_what);
}

int mounts_damaged_disk(const char **ret_what)
{
    static const Mount read_only = {DISK, NEW_ROOT, "ext4", MS_RDONLY, "noload"};
    int result = mounts_disk(ret_what);
    return result < 0 && mount_all(&read_only, 1, ret_what) == 0 ? 0 : result;
}

int mounts_cgroup(const char **ret_what)
{
    int result = mount_all(&cgroup_mount, 1, ret_what);
    return result < 0 ? result : file_make_directories("/sys/fs/cgroup/" CGROUP_DISTRO, 0755);
}

/* Create /dev/fd and its kin, which devtmpfs lacks and <(...) of shells needs. */
static void link_streams(void)
{
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},
        {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
            log_line("cannot make %s: %s", links[i][1], strerror(errno));
    }
}

int mounts_switch_root(const char **ret_what)
{
    for (size_t i = 0; i < sizeof(kernel_mounts) / sizeof(kernel_mounts[0]); i++) {
        char target[64];
        snprintf(target, sizeof(target), NEW_ROOT "%s", kernel_mounts[i].target);
        mkdir(target, 0755);
        *ret_what = kernel_mounts[i].target;
        if (mount(kernel_mounts[i].target, target, NULL, MS_MOVE, NULL) < 0)
            return -errno;
    }
    *ret_what = "/";
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        return -errno;

    return mounts_stay(ret_what);
}

int mounts_stay(const char **ret_what)
{
    link_streams();
    return mount_all(root_mounts, sizeof(root_mounts) / sizeof(root_mounts[0]), ret_what);
}

/* ---- power-off ---- */

#define TARGETS_MAX 1024

/* List the mount points in the order of mounting. */
static size_t list_targets(char *targets[TARGETS_MAX])
{
    FILE *file = setmntent("/proc/self/mounts", "re");
    if (file == NULL)
        return 0;
    size_t count = 0;
    const struct mntent *entry;
    while (count < TARGETS_MAX && (entry = getmntent(file)) != NULL)
        targets[count++] = strdup(entry->mnt_dir);
    endmntent(file);
    return count;
}

/* The kernel's file systems hold no data and are needed to the end: leave them mounted. */
static bool is_kernels(const char *target)
{
    static const char *const kept[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        size_t length = strlen(kept[i]);
        if (strncmp(target, kept[i], length) == 0 &&
            (target[length] == '\0' || target[length] == '/'))
            return true;
    }
    return strcmp(target, "/") == 0;
}

void mounts_leave(void)
{
    char *targets[TARGETS_MAX];
    size_t count = list_targets(targets);
    sync();
    while (count > 0) {
        char *target = targets[--count];
        if (target != NULL && !is_kernels(target) && umount2(target, UMOUNT_NOFOLLOW) < 0 &&
            mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
            log_line("cannot unmount %s: %s", target, strerror(errno));
        free(target);
    }
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        log_line("cannot make the disk read-only: %s", strerror(errno));
    sync();
}
