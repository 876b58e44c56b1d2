/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "wire/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The distro's own changes are seen on the host after this time at the latest. */
#define CACHE_SEC 1
#define READ_MASK (STATX_BASIC_STATS | STATX_BTIME)

static struct {
    uint32_t uid, gid, host_uid, host_gid;
} users;
static uint64_t root_device;

static uint64_t device_of(const struct statx *info)
{
    return makedev(info->stx_dev_major, info->stx_dev_minor);
}

void attributes_begin(uint32_t host_uid, uint32_t host_gid)
{
    bool root = geteuid() == 0;
    users.uid = geteuid();
    users.gid = getegid();
    users.host_uid = root ? users.uid : host_uid;
    users.host_gid = root ? users.gid : host_gid;
    struct statx info;
    if (statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &info) == 0)
        root_device = device_of(&info);
}

/* The same in both directions. */
static uint32_t exchange(uint32_t number, uint32_t one, uint32_t other)
{
    return number == one ? other : number == other ? one : number;
}

static uint32_t map_uid(uint32_t uid)
{
    return exchange(uid, users.uid, users.host_uid);
}

static uint32_t map_gid(uint32_t gid)
{
    return exchange(gid, users.gid, users.host_gid);
}

void attributes_path(int fd, char path[ATTRIBUTES_PATH])
{
    snprintf(path, ATTRIBUTES_PATH, "/proc/self/fd/%d", fd);
}

/* Whether the file system of @info is berth's own: the share of the host's files, whose server
 * would ask the host for what the host asks us. */
static bool is_berths(const struct statx *info)
{
    unsigned major_number, minor_number;
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && !found && getline(&line, &size, file) >= 0) {
        const char *type = strstr(line, " - ");
        found = sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) == 2 && type != NULL &&
                strncmp(type, " - fuse.berth ", 14) == 0 && major_number == info->stx_dev_major &&
                minor_number == info->stx_dev_minor;
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return found;
}

/* First without asking the file system: the share's server may wait for us. */
int attributes_read(int fd, const char *name, struct statx *ret_info)
{
    const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    struct statx known;
    bool root = statx(fd, name, flags | AT_STATX_DONT_SYNC, STATX_TYPE, &known) == 0 &&
                (known.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    if (root && is_berths(&known))
        return -EREMOTE;
    return statx(fd, name, flags, READ_MASK, ret_info) < 0 ? -errno : 0;
}

/* Files of several file systems may have the same number; the host sees one device. */
static uint64_t unique_inode(const struct statx *info)
{
    return info->stx_ino ^ (device_of(info) ^ root_device) << 40;
}

void attributes_fill(const struct statx *info, struct fuse_attr *ret_attributes)
{
    *ret_attributes = (struct fuse_attr){
        .ino = unique_inode(info),
        .size = info->stx_size,
        .blocks = info->stx_blocks,
        .atime = (uint64_t)info->stx_atime.tv_sec,
        .mtime = (uint64_t)info->stx_mtime.tv_sec,
        .ctime = (uint64_t)info->stx_ctime.tv_sec,
        .atimensec = info->stx_atime.tv_nsec,
        .mtimensec = info->stx_mtime.tv_nsec,
        .ctimensec = info->stx_ctime.tv_nsec,
        .mode = info->stx_mode,
        .nlink = info->stx_nlink,
        .uid = map_uid(info->stx_uid),
        .gid = map_gid(info->stx_gid),
        .rdev = (uint32_t)makedev(info->stx_rdev_major, info->stx_rdev_minor),
        .blksize = info->stx_blksize,
    };
}

int attributes_enter(uint64_t parent, int fd, const char *name, struct fuse_entry_out *entry)
{
    struct statx info;
    int result = attributes_read(fd, name, &info);
    if (result < 0)
        return result;
    *entry = (struct fuse_entry_out){
        .nodeid = node_enter(parent, name, &info),
        .entry_valid = CACHE_SEC,
        .attr_valid = CACHE_SEC,
    };
    attributes_fill(&info, &entry->attr);
    return entry->nodeid != 0 ? 0 : -ENOMEM;
}

static int answer_attributes(Request *request, int fd)
{
    struct statx info;
    struct fuse_attr_out *answer = (struct fuse_attr_out *)request->answer;
    int result = attributes_read(fd, "", &info);
    if (result < 0)
        return result;
    *answer = (struct fuse_attr_out){.attr_valid = CACHE_SEC};
    attributes_fill(&info, &answer->attr);
    return sizeof(*answer);
}

int serve_getattr(Request *request)
{
    const struct fuse_getattr_in *in = request_take(request, sizeof(*in));
    if (in == NULL)
        return -EINVAL;
    if ((in->getattr_flags & FUSE_GETATTR_FH) != 0) {
        int open_fd = handle_fd(in->fh);
        return open_fd >= 0 ? answer_attributes(request, open_fd) : open_fd;
    }
    int fd = node_open(request->header->nodeid);
    if (fd < 0)
        return fd;
    int result = answer_attributes(request, fd);
    close(fd);
    return result;
}

/* ---- changes ---- */

static struct timespec time_of(const struct fuse_setattr_in *in, uint32_t set, uint32_t now,
                               uint64_t seconds, uint32_t nsec)
{
    if ((in->valid & now) != 0)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    if ((in->valid & set) == 0)
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    return (struct timespec){(time_t)seconds, (long)nsec};
}

static int set_times(int fd, const struct fuse_setattr_in *in)
{
    const struct timespec times[] = {
        time_of(in, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
        time_of(in, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
    };
    return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_owner(int fd, const struct fuse_setattr_in *in)
{
    uid_t uid = (in->valid & FATTR_UID) != 0 ? map_uid(in->uid) : (uid_t)-1;
    gid_t gid = (in->valid & FATTR_GID) != 0 ? map_gid(in->gid) : (gid_t)-1;
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_size(const char *path, const struct fuse_setattr_in *in)
{
    int fd = (in->valid & FATTR_FH) != 0 ? handle_fd(in->fh) : -1;
    int result = fd >= 0 ? ftruncate(fd, (off_t)in->size) : truncate(path, (off_t)in->size);
    return result < 0 ? -errno : 0;
}

static int set_attributes(int fd, const struct fuse_setattr_in *in)
{
    const uint32_t times = FATTR_ATIME | FATTR_ATIME_NOW | FATTR_MTIME | FATTR_MTIME_NOW;
    char path[ATTRIBUTES_PATH];
    int result = 0;
    attributes_path(fd, path);
    if ((in->valid & (FATTR_UID | FATTR_GID)) != 0)
        result = set_owner(fd, in);
    if (result == 0 && (in->valid & FATTR_MODE) != 0)
        result = chmod(path, in->mode & 07777) < 0 ? -errno : 0;
    if (result == 0 && (in->valid & FATTR_SIZE) != 0)
        result = set_size(path, in);
    if (result == 0 && (in->valid & times) != 0)
        result = set_times(fd, in);
    return result;
}

int serve_setattr(Request *request)
{
    const struct fuse_setattr_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? node_open(request->header->nodeid) : -EINVAL;
    if (fd < 0)
        return fd;
    int result = set_attributes(fd, in);
    if (result == 0)
        result = answer_attributes(request, fd);
    close(fd);
    return result;
}

/* ---- the rest ---- */

int serve_readlink(Request *request)
{
    int fd = node_open(request->header->nodeid);
    if (fd < 0)
        return fd;
    ssize_t size = readlinkat(fd, "", (char *)request->answer, PATH_MAX - 1);
    int result = size < 0 ? -errno : (int)size;
    close(fd);
    return result;
}

int serve_statfs(Request *request)
{
    struct statfs info;
    struct fuse_statfs_out *answer = (struct fuse_statfs_out *)request->answer;
    int fd = node_open(request->header->nodeid);
    if (fd < 0)
        return fd;
    int result = fstatfs(fd, &info) < 0 ? -errno : 0;
    close(fd);
    if (result < 0)
        return result;
    *answer = (struct fuse_statfs_out){.st = {.blocks = info.f_blocks,
                                              .bfree = info.f_bfree,
                                              .bavail = info.f_bavail,
                                              .files = info.f_files,
                                              .ffree = info.f_ffree,
                                              .bsize = (uint32_t)info.f_bsize,
                                              .namelen = (uint32_t)info.f_namelen,
                                              .frsize = (uint32_t)info.f_frsize}};
    return sizeof(*answer);
}

/* Open the request's node and write its path; a descriptor to close, or -errno. */
static int open_path(const Request *request, char path[ATTRIBUTES_PATH])
{
    int fd = node_open(request->header->nodeid);
    if (fd >= 0)
        attributes_path(fd, path);
    return fd;
}

/* The answer of a call that returned @result; @fd is closed. */
static int end_call(int fd, ssize_t result)
{
    int number = result < 0 ? -errno : (int)result;
    close(fd);
    return number;
}

int serve_access(Request *request)
{
    char path[ATTRIBUTES_PATH];
    const struct fuse_access_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? open_path(request, path) : -EINVAL;
    return fd < 0 ? fd : end_call(fd, faccessat(AT_FDCWD, path, (int)in->mask & 7, AT_EACCESS));
}

int serve_setxattr(Request *request)
{
    char path[ATTRIBUTES_PATH];
    const struct fuse_setxattr_in *in = request_take(request, FUSE_COMPAT_SETXATTR_IN_SIZE);
    const char *name = in != NULL ? request_take_text(request) : NULL;
    const void *value = name != NULL ? request_take(request, in->size) : NULL;
    int fd = value != NULL ? open_path(request, path) : -EINVAL;
    return fd < 0 ? fd : end_call(fd, setxattr(path, name, value, in->size, (int)in->flags));
}

/* The size alone where the host asks for that, as the call does with a size of 0. */
static int answer_sized(Request *request, uint32_t asked, int result)
{
    if (asked > 0 || result < 0)
        return result;
    *(struct fuse_getxattr_out *)request->answer =
        (struct fuse_getxattr_out){.size = (uint32_t)result};
    return sizeof(struct fuse_getxattr_out);
}

int serve_getxattr(Request *request)
{
    char path[ATTRIBUTES_PATH];
    const struct fuse_getxattr_in *in = request_take(request, sizeof(*in));
    const char *name = in != NULL ? request_take_text(request) : NULL;
    int fd = name != NULL && in->size <= WIRE_MOUNT_DATA ? open_path(request, path) : -EINVAL;
    if (fd < 0)
        return fd;
    ssize_t size = getxattr(path, name, request->answer, in->size);
    return answer_sized(request, in->size, end_call(fd, size));
}

int serve_listxattr(Request *request)
{
    char path[ATTRIBUTES_PATH];
    const struct fuse_getxattr_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL && in->size <= WIRE_MOUNT_DATA ? open_path(request, path) : -EINVAL;
    if (fd < 0)
        return fd;
    ssize_t size = listxattr(path, (char *)request->answer, in->size);
    return answer_sized(request, in->size, end_call(fd, size));
}

int serve_removexattr(Request *request)
{
    char path[ATTRIBUTES_PATH];
    const char *name = request_take_text(request);
    int fd = name != NULL ? open_path(request, path) : -EINVAL;
    return fd < 0 ? fd : end_call(fd, removexattr(path, name));
}
