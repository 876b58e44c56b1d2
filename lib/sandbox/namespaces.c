/* SPDX-License-Identifier: MIT */
#include "namespaces.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A mount point that exists everywhere, for the empty root. */
#define PLACE "/proc"

static int write_text(const char *path, const char *text)
{
    berth_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || berth_fd_write_all(fd, text, strlen(text)) < 0 ? errno : 0;
}

/* Map only our own user and group, to themselves. */
static int map_ids(uid_t uid, gid_t gid)
{
    char users[32], groups[32];
    snprintf(users, sizeof(users), "%u %u 1", uid, uid);
    snprintf(groups, sizeof(groups), "%u %u 1", gid, gid);
    int errnum = write_text("/proc/self/setgroups", "deny");
    if (errnum == 0)
        errnum = write_text("/proc/self/gid_map", groups);
    return errnum == 0 ? write_text("/proc/self/uid_map", users) : errnum;
}

static int empty_root(void)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", PLACE, "tmpfs", flags, "size=4k,mode=0555") < 0 || chdir(PLACE) < 0)
        return errno;
    /* pivot_root stacks the old root above the new one; unmount it. Source: pivot_root(2). */
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? errno : 0;
    return chroot(".") < 0 ? errno : 0; /* the root (initramfs) cannot be pivoted */
}

int berth_namespaces_leave(void)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return errno;
    int errnum = map_ids(uid, gid);
    return errnum == 0 ? empty_root() : errnum;
}
