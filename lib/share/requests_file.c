/* SPDX-License-Identifier: MIT
 *
 * Requests about a file's data.
 */
#include "share_private.h"

#include "base/fd.h"
#include "charge.h"
#include "layer.h"
#include "wire/flush.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What a guest may do to a share with a quota by fallocate. */
#define ALLOCATIONS (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

/* The guest's flags that are passed on. With O_APPEND the host finds the end of the file, which
 * another program may have moved. */
static int host_flags(int flags)
{
    return flags & (O_ACCMODE | O_APPEND | O_DSYNC | O_SYNC | O_NOATIME);
}

static bool wants_to_change(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

static int open_file(int path_fd, int flags)
{
    int wanted = host_flags(flags);
    int fd = berth_fd_reopen(path_fd, wanted);
    if (fd == -EPERM && (wanted & O_NOATIME) != 0)
        fd = berth_fd_reopen(path_fd, wanted & ~O_NOATIME);
    return fd;
}

void share_want_flush(Share *share, fuse_ino_t id)
{
    guint8 message[sizeof(struct fuse_out_header) + sizeof(guint64)];
    const struct fuse_out_header header = {.len = sizeof(message), .error = WIRE_FLUSH_CODE};
    const guint64 node = id;
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), &node, sizeof(node));
    berth_transport_send(share->transport, message, sizeof(message));
}

#define ZFS_MAGIC 0x2fc12fc1

/* File systems that report all errors of a write at the write; others, as NFS, may do it at the
 * close. */
static bool reports_at_write(int fd)
{
    static const guint32 known[] = {
        BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
        TMPFS_MAGIC,       XFS_SUPER_MAGIC,  ZFS_MAGIC};
    struct statfs info;
    if (fstatfs(fd, &info) < 0)
        return false;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if ((guint32)info.f_type == known[i])
            return true;
    return false;
}

/* Keep @fd of node @id, in the share @root. */
static void keep_open(fuse_req_t request, fuse_ino_t id, int root, int fd,
                      struct fuse_file_info *info)
{
    Share *share = share_of(request);
    bool changes = wants_to_change(info->flags);
    info->keep_cache = true; /* changes invalidate it */
    if (changes && !reports_at_write(fd))
        share_want_flush(share, id);
    info->fh = berth_handles_add(share->handles, fd, id, root, false, changes,
                                 !changes && share_layer_has(share, id), host_flags(info->flags));
}

/* The root that node @id is to be opened in. False: it is needed for a quota, and not known. */
static bool find_root(Share *share, fuse_ino_t id, int *ret_root)
{
    *ret_root = share->has_quotas ? share_charge_root(share, id) : -1;
    return *ret_root >= 0 || !share->has_quotas;
}

/* As ftruncate. */
static int empty_file(Share *share, fuse_ino_t id, int fd)
{
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, id, &charge);
    share_charge_file(&charge, fd);
    return (int)SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_MODIFY),
                                ftruncate(fd, 0));
}

void share_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    bool changes = wants_to_change(info->flags);
    SHARE_LAYER_HOLD(share, changes ? BERTH_NODE_NONE : id);
    berth_autofd int path_fd =
        changes ? share_open_to_change(share, id) : share_open_held_node(share, id);
    struct stat found;
    int root = -1;
    if (path_fd >= 0 &&
        (fstat(path_fd, &found) < 0 || !S_ISREG(found.st_mode) || !find_root(share, id, &root))) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    berth_autofd int fd = path_fd < 0 ? path_fd : open_file(path_fd, info->flags);
    if (fd < 0) {
        fuse_reply_err(request, -fd);
        return;
    }
    if ((info->flags & O_TRUNC) != 0 && empty_file(share, id, fd) < 0) {
        fuse_reply_err(request, errno);
        return;
    }
    keep_open(request, id, root, berth_fd_steal(&fd), info);
    if (info->fh == 0)
        fuse_reply_err(request, ENFILE);
    else if (fuse_reply_open(request, info) == -ENOENT)
        share_charge_release(share, info->fh);
    share_copies_unlocked(share, id);
}

/* The guest has opened the file, which is the user's, before it got its mode, or as it was made. */
static int open_despite_mode(int path_fd, int flags, const struct stat *found)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(path_fd, path);
    if (chmod(path, (found->st_mode & 07777) | 0600) < 0)
        return -errno;
    int fd = open_file(path_fd, flags);
    chmod(path, found->st_mode & 07777);
    return fd;
}

int share_open_again(guint64 id, bool is_directory, bool is_writable, int flags, int *ret_root,
                     gpointer user_data)
{
    Share *share = user_data;
    struct stat found;
    if (!find_root(share, id, ret_root))
        return -ESTALE;
    berth_autofd int path_fd =
        is_writable ? share_open_to_change(share, id) : share_open_node(share, id, NULL);
    if (path_fd < 0)
        return path_fd;
    if (is_directory)
        return berth_fd_reopen(path_fd, O_RDONLY | O_DIRECTORY);
    if (fstat(path_fd, &found) < 0 || !S_ISREG(found.st_mode))
        return -ESTALE;
    int fd = open_file(path_fd, flags);
    return fd == -EACCES && found.st_uid == share->uid ? open_despite_mode(path_fd, flags, &found)
                                                       : fd;
}

/* Open the existing file @at. Returns a descriptor or -errno. */
static int open_existing(Share *share, const ShareEntry *at, int flags, bool truncates)
{
    struct stat found;
    berth_autofd int fd = openat(at->fd, at->name, flags);
    if (fd < 0)
        return -errno;
    if (!truncates)
        return berth_fd_steal(&fd);
    if (fstat(fd, &found) < 0 || !S_ISREG(found.st_mode))
        return -EEXIST;
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, at->parent, &charge);
    share_charge_file(&charge, fd);
    if (SHARE_WITH_ECHO(share, share_echo_begin(share, at->parent, at->name, IN_MODIFY),
                        ftruncate(fd, 0)) < 0)
        return -errno;
    return berth_fd_steal(&fd);
}

static int make_file(Share *share, const ShareEntry *at, int flags, mode_t mode)
{
    int fd = (int)SHARE_WITH_ECHO(share, share_echo_begin(share, at->parent, at->name, IN_CREATE),
                                  openat(at->fd, at->name, flags | O_CREAT | O_EXCL, mode & 07777));
    return fd < 0 ? -errno : fd;
}

/* Make the file @at with the guest's flags, or open it. Returns a descriptor or -errno. O_EXCL
 * first; an existing file is opened without O_CREAT, as by open. */
static int make_or_open(Share *share, const ShareEntry *at, int guest_flags, mode_t mode)
{
    const int flags = host_flags(guest_flags) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, at->parent, &charge);
    share_charge_file(&charge, at->fd);
    struct stat found;
    int fits = share_charge_check(&charge, SHARE_CHARGE_SMALL);
    bool may_make = fits == 0 || fstatat(at->fd, at->name, &found, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = may_make ? make_file(share, at, flags, mode) : fits;
    if (fd >= 0)
        share_charge_made(&charge, at->fd, at->name);
    share_charge_end(&charge);
    if (fd == -EEXIST && (guest_flags & O_EXCL) == 0)
        return open_existing(share, at, flags, (guest_flags & O_TRUNC) != 0);
    return fd;
}

void share_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                  struct fuse_file_info *info)
{
    Share *share = share_of(request);
    berth_autofd int parent_fd = share_open_to_change(share, parent);
    int prepared = parent_fd < 0
                       ? parent_fd
                       : share_layer_prepare(share, parent, name, (info->flags & O_EXCL) == 0);
    if (prepared < 0) {
        fuse_reply_err(request, -prepared);
        return;
    }
    share_watch(share, parent, parent_fd);
    berth_autofd int fd =
        make_or_open(share, &(ShareEntry){parent, parent_fd, name}, info->flags, mode);
    ShareFile file = {0};
    int root = -1;
    int result = fd < 0 ? fd : find_root(share, parent, &root) ? 0 : -ESTALE;
    SHARE_LAYER_HOLD(share, parent);
    if (result == 0)
        result = share_layer_stat_child(share, parent, parent_fd, name, &file);
    if (result == 0 && !S_ISREG(file.attributes.st_mode))
        result = -EEXIST;
    if (result < 0) {
        fuse_reply_err(request, -result);
        return;
    }
    struct fuse_entry_param entry;
    share_enter(share, parent, parent_fd, name, &file, &entry);
    keep_open(request, entry.ino, root, berth_fd_steal(&fd), info);
    if (info->fh == 0)
        fuse_reply_err(request, ENFILE);
    else if (fuse_reply_create(request, &entry, info) == -ENOENT)
        share_charge_release(share, info->fh);
}

/* The handle of a request about data; NULL: it was answered. */
static BerthHandle *handle_of(fuse_req_t request, const struct fuse_file_info *info)
{
    BerthHandle *handle = berth_handles_get(share_of(request)->handles, info->fh);
    bool is_file = handle != NULL && !handle->is_directory;
    if (is_file && handle->fd >= 0)
        return handle;
    bool lost = is_file && handle->has_lost_lock;
    berth_handle_unref(handle);
    fuse_reply_err(request, lost ? EIO : is_file ? ESTALE : EBADF);
    return NULL;
}

/* One buffer per thread: malloc would map and unmap one of this size for each request. */
static GPrivate read_buffer = G_PRIVATE_INIT(g_free);

static char *thread_buffer(void)
{
    char *buffer = g_private_get(&read_buffer);
    if (buffer == NULL)
        g_private_set(&read_buffer, buffer = g_malloc(SHARE_ANSWER_MAX));
    return buffer;
}

void share_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle == NULL)
        return;
    char *buffer = thread_buffer();
    ssize_t got = pread(handle->fd, buffer, MIN(size, SHARE_ANSWER_MAX), offset);
    if (got < 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_buf(request, buffer, (size_t)got);
}

ssize_t share_write_within(Share *share, const BerthHandle *handle, int fd, const char *bytes,
                           size_t size, off_t offset)
{
    struct stat info;
    g_auto(ShareCharge) charge = {0};
    share_charge_begin_root(share, handle->root, &charge);
    share_charge_file(&charge, fd);
    bool appends = charge.quota != NULL && (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    off_t at = appends && fstat(fd, &info) == 0 ? info.st_size : offset;
    size_t room = share_charge_room(&charge, fd, at, size);
    if (room == 0 && size > 0)
        return -ENOSPC;
    ssize_t put = SHARE_WITH_ECHO(share, share_echo_begin_node(share, handle->node, IN_MODIFY),
                                  pwrite(fd, bytes, room, offset));
    return put < 0 ? -errno : put;
}

void share_write(fuse_req_t request, fuse_ino_t id, const char *bytes, size_t size, off_t offset,
                 struct fuse_file_info *info)
{
    Share *share = share_of(request);
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle == NULL)
        return;
    /* the kernel may write a page of a mapping by any handle; O_APPEND would move it */
    bool at_place = info->writepage && (fcntl(handle->fd, F_GETFL) & O_APPEND) != 0;
    berth_autofd int other = at_place ? berth_fd_reopen(handle->fd, O_WRONLY) : -1;
    ShareEcho *close_echo = other >= 0 ? share_echo_begin_node(share, id, IN_CLOSE_WRITE) : NULL;
    ssize_t put =
        share_write_within(share, handle, other >= 0 ? other : handle->fd, bytes, size, offset);
    berth_fd_close(&other);
    share_echo_end(share, close_echo, true);
    if (put < 0)
        fuse_reply_err(request, (int)-put);
    else
        fuse_reply_write(request, (size_t)put);
}

/* On close: report delayed write errors, and drop the owner's POSIX locks. */
void share_flush(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle == NULL)
        return;
    share_unlock_owner(share, id, info->lock_owner);
    share_copies_unlocked(share, id);
    int copy = dup(handle->fd);
    fuse_reply_err(request, copy < 0 || close(copy) < 0 ? errno : 0);
}

void share_release(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    BerthHandle *handle = berth_handles_get(share->handles, info->fh);
    bool writes = handle != NULL && handle->fd >= 0 && handle->is_writable && !handle->is_directory;
    ShareEcho *echo = writes ? share_echo_begin_node(share, handle->node, IN_CLOSE_WRITE) : NULL;
    berth_handle_unref(handle);
    share_charge_release(share, info->fh);
    share_echo_end(share, echo, true);
    fuse_reply_err(request, 0);
}

void share_fsync(fuse_req_t request, fuse_ino_t id, int data, struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle != NULL)
        fuse_reply_err(request, (data ? fdatasync(handle->fd) : fsync(handle->fd)) < 0 ? errno : 0);
}

/* As fallocate, if the quota has room for all of it; -errno. */
static int allocate_within(Share *share, const BerthHandle *handle, int mode, off_t offset,
                           off_t length)
{
    g_auto(ShareCharge) charge = {0};
    bool frees = (mode & FALLOC_FL_PUNCH_HOLE) != 0;
    share_charge_begin_root(share, handle->root, &charge);
    share_charge_file(&charge, handle->fd);
    if (charge.quota != NULL && (mode & ~ALLOCATIONS) != 0)
        return -EOPNOTSUPP; /* what they need is not known before */
    if (offset < 0 || length <= 0 || length > G_MAXINT64 - offset)
        return -EINVAL;
    if (!frees && share_charge_room(&charge, handle->fd, offset, (guint64)length) < (guint64)length)
        return -ENOSPC;
    return SHARE_WITH_ECHO(share, share_echo_begin_node(share, handle->node, IN_MODIFY),
                           fallocate(handle->fd, mode, offset, length)) < 0
               ? -errno
               : 0;
}

void share_fallocate(fuse_req_t request, fuse_ino_t id, int mode, off_t offset, off_t length,
                     struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle != NULL)
        fuse_reply_err(request, -allocate_within(share_of(request), handle, mode, offset, length));
}

/* As copy_file_range, of as much as the quota has room for; -errno. */
static ssize_t copy_within(Share *share, int from_fd, off_t from, const BerthHandle *target,
                           off_t to, size_t length, int flags)
{
    struct stat info;
    g_auto(ShareCharge) charge = {0};
    share_charge_begin_root(share, target->root, &charge);
    share_charge_file(&charge, target->fd);
    if (charge.quota != NULL && fstat(from_fd, &info) == 0)
        length = from < 0 || from >= info.st_size ? 0 : MIN(length, (size_t)(info.st_size - from));
    size_t room = share_charge_room(&charge, target->fd, to, length);
    if (room == 0 && length > 0)
        return -ENOSPC;
    ssize_t copied =
        SHARE_WITH_ECHO(share, share_echo_begin_node(share, target->node, IN_MODIFY),
                        copy_file_range(from_fd, &from, target->fd, &to, room, (unsigned)flags));
    return copied < 0 ? -errno : copied;
}

void share_copy(fuse_req_t request, fuse_ino_t from_id, off_t from,
                struct fuse_file_info *from_info, fuse_ino_t to_id, off_t to,
                struct fuse_file_info *to_info, size_t length, int flags)
{
    g_autoptr(BerthHandle) source = handle_of(request, from_info);
    if (source == NULL)
        return;
    g_autoptr(BerthHandle) target = handle_of(request, to_info);
    if (target == NULL)
        return;
    ssize_t copied = copy_within(share_of(request), source->fd, from, target, to, length, flags);
    if (copied < 0)
        fuse_reply_err(request, (int)-copied);
    else
        fuse_reply_write(request, (size_t)copied);
}

void share_lseek(fuse_req_t request, fuse_ino_t id, off_t offset, int whence,
                 struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle == NULL)
        return;
    off_t found = lseek(handle->fd, offset, whence);
    if (found < 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_lseek(request, found);
}
