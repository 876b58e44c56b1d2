/* SPDX-License-Identifier: MIT */
#include "confine_share.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#define DESCRIPTORS_MAX 131072
#define MEMORY_MAX      (G_GUINT64_CONSTANT(2) << 30)
#define WORD            G_MAXUINT32 /* mask of an int argument */

static const int allowed[] = {
    /* files, by path: Landlock says which */
    SCMP_SYS(chmod),
    SCMP_SYS(fchownat),
    SCMP_SYS(getxattr),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(linkat),
    SCMP_SYS(listxattr),
    SCMP_SYS(mkdirat),
    SCMP_SYS(mknodat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(readlinkat),
    SCMP_SYS(removexattr),
    SCMP_SYS(renameat), /* libc's renameat2 without flags */
    SCMP_SYS(renameat2),
    SCMP_SYS(setxattr),
    SCMP_SYS(statx),
    SCMP_SYS(symlinkat),
    SCMP_SYS(unlinkat),
    SCMP_SYS(utimensat),
    SCMP_SYS(accept4), /* clients that settle changes, at a socket that is there */
    /* files that are open */
    SCMP_SYS(copy_file_range),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(fallocate),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(shutdown),
    /* memory, threads, time */
};

static const BerthSandboxRule restricted_calls[] = {
    {SCMP_SYS(fcntl), {{1, WORD, F_OFD_GETLK}}},
    {SCMP_SYS(fcntl), {{1, WORD, F_OFD_SETLK}}},
    {SCMP_SYS(fcntl), {{1, WORD, F_OFD_SETLKW}}},
    {SCMP_SYS(ioctl), {{1, WORD, FS_IOC_FIEMAP}}},
};

bool berth_share_confine(int last_fd, const BerthSandboxPath *paths, gsize n_paths, GError **error)
{
    const BerthSandbox sandbox = {
        .step = "share.confine",
        .what = "confine berth-share",
        .last_fd = last_fd,
        .descriptors_max = DESCRIPTORS_MAX,
        .memory_max = MEMORY_MAX,
        .no_paths = true,
        .paths = paths,
        .n_paths = n_paths,
        .allowed = allowed,
        .n_allowed = G_N_ELEMENTS(allowed),
        .restricted = restricted_calls,
        .n_restricted = G_N_ELEMENTS(restricted_calls),
        .threads = true,
    };
    return berth_sandbox_enter(&sandbox, error);
}
