/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "wire/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whether the kernel makes the data of @fd's file when it is read, and its size says nothing. */
static bool is_made_when_read(int fd, const struct statx *info)
{
    struct statfs file_system;
    if (info->stx_dev_major != 0 || fstatfs(fd, &file_system) < 0)
        return false;
    switch (file_system.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
        return true;
    default:
        return false;
    }
}

static int reopen(int fd, int flags)
{
    char path[ATTRIBUTES_PATH];
    attributes_path(fd, path);
    int opened = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0 && errno == EPERM && (flags & O_ACCMODE) != O_RDONLY)
        opened = open(path, flags | O_APPEND | O_NOCTTY | O_CLOEXEC); /* chattr +a */
    return opened < 0 ? -errno : opened;
}

/* The FOPEN_ flags that say how the host's kernel may cache the file. */
static uint32_t caching_of(const Request *request, int fd)
{
    struct statx info;
    if (attributes_read(fd, "", &info) < 0)
        return 0;
    if (is_made_when_read(fd, &info))
        return FOPEN_DIRECT_IO;
    return node_is_unchanged(request->header->nodeid, &info) ? FOPEN_KEEP_CACHE : 0;
}

/* Not O_APPEND: each write says whether it appends. */
int serve_open(Request *request)
{
    struct fuse_open_out *answer = (struct fuse_open_out *)request->answer;
    const struct fuse_open_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? node_open(request->header->nodeid) : -EINVAL;
    if (fd < 0)
        return fd;
    int opened = reopen(fd, (int)in->flags & (O_ACCMODE | O_TRUNC));
    close(fd);
    if (opened < 0)
        return opened;
    uint32_t caching = caching_of(request, opened);
    *answer = (struct fuse_open_out){.fh = handle_add(request->header->nodeid, opened),
                                     .open_flags = caching};
    return answer->fh != 0 ? (int)sizeof(*answer) : -ENOMEM;
}

int serve_read(Request *request)
{
    const struct fuse_read_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL && in->size <= WIRE_MOUNT_DATA ? handle_fd(in->fh) : -EINVAL;
    if (fd < 0)
        return fd;
    ssize_t size = pread(fd, request->answer, in->size, (off_t)in->offset);
    return size < 0 ? -errno : (int)size;
}

/* As the kernel does it itself for all but root. */
static void clear_privileges(int fd)
{
    struct stat info;
    if (geteuid() != 0 || fstat(fd, &info) < 0)
        return;
    mode_t group = (info.st_mode & S_IXGRP) != 0 ? S_ISGID : 0;
    if ((info.st_mode & (S_ISUID | group)) != 0)
        fchmod(fd, info.st_mode & 07777 & ~(S_ISUID | group));
}

/* Pages that the host's kernel writes back have their offset, whatever the file was opened for. */
int serve_write(Request *request)
{
    struct fuse_write_out *answer = (struct fuse_write_out *)request->answer;
    const struct fuse_write_in *in = request_take(request, sizeof(*in));
    const void *data = in != NULL ? request_take(request, in->size) : NULL;
    int fd = data != NULL ? handle_fd(in->fh) : -EINVAL;
    if (fd < 0)
        return fd;
    bool append = (in->flags & O_APPEND) != 0 && (in->write_flags & FUSE_WRITE_CACHE) == 0;
    const struct iovec vector = {(void *)data, in->size};
    if ((in->write_flags & FUSE_WRITE_KILL_SUIDGID) != 0)
        clear_privileges(fd);
    ssize_t size = pwritev2(fd, &vector, 1, (off_t)in->offset, append ? RWF_APPEND : 0);
    if (size < 0)
        return -errno;
    *answer = (struct fuse_write_out){.size = (uint32_t)size};
    return sizeof(*answer);
}

/* A close reports what writing to the file has found: over a network, for one. */
int serve_flush(Request *request)
{
    const struct fuse_flush_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? handle_fd(in->fh) : -EINVAL;
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
    if (copy < 0)
        return fd < 0 ? fd : -errno;
    return close(copy) < 0 ? -errno : 0;
}

int serve_fsync(Request *request)
{
    const struct fuse_fsync_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? handle_fd(in->fh) : -EINVAL;
    if (fd < 0)
        return fd;
    bool data = (in->fsync_flags & FUSE_FSYNC_FDATASYNC) != 0;
    return (data ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

int serve_release(Request *request)
{
    const struct fuse_release_in *in = request_take(request, sizeof(*in));
    if (in != NULL)
        handle_release(in->fh);
    return 0;
}

int serve_fallocate(Request *request)
{
    const struct fuse_fallocate_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? handle_fd(in->fh) : -EINVAL;
    if (fd < 0)
        return fd;
    int result = fallocate(fd, (int)in->mode, (off_t)in->offset, (off_t)in->length);
    return result < 0 ? -errno : 0;
}

int serve_lseek(Request *request)
{
    struct fuse_lseek_out *answer = (struct fuse_lseek_out *)request->answer;
    const struct fuse_lseek_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? handle_fd(in->fh) : -EINVAL;
    if (fd < 0)
        return fd;
    off_t offset = lseek(fd, (off_t)in->offset, (int)in->whence);
    *answer = (struct fuse_lseek_out){.offset = (uint64_t)offset};
    return offset < 0 ? -errno : (int)sizeof(*answer);
}

int serve_copy(Request *request)
{
    struct fuse_write_out *answer = (struct fuse_write_out *)request->answer;
    const struct fuse_copy_file_range_in *in = request_take(request, sizeof(*in));
    int from = in != NULL ? handle_fd(in->fh_in) : -EINVAL;
    int to = from >= 0 ? handle_fd(in->fh_out) : from;
    if (to < 0)
        return to;
    loff_t offset_in = (loff_t)in->off_in, offset_out = (loff_t)in->off_out;
    size_t length = in->len < INT_MAX ? (size_t)in->len : INT_MAX;
    ssize_t size = copy_file_range(from, &offset_in, to, &offset_out, length, 0);
    *answer = (struct fuse_write_out){.size = (uint32_t)size};
    return size < 0 ? -errno : (int)sizeof(*answer);
}
