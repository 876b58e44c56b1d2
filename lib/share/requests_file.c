/* SPDX-License-Identifier: MIT
 *
 * Requests about a file's data.
 */
#include "share_private.h"

#include "base/fd.h"
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

static void keep_open(fuse_req_t request, fuse_ino_t id, int fd, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    bool changes = wants_to_change(info->flags);
    info->keep_cache = true; /* changes invalidate it */
    if (changes && !reports_at_write(fd))
        share_want_flush(share, id);
    info->fh = berth_handles_add(share->handles, fd, id, false, changes,
                                 !changes && share_layer_has(share, id), host_flags(info->flags));
}

void share_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    bool changes = wants_to_change(info->flags);
    SHARE_LAYER_HOLD(share, changes ? BERTH_NODE_NONE : id);
    berth_autofd int path_fd =
        changes ? share_open_to_change(share, id) : share_open_held_node(share, id);
    struct stat found;
    if (path_fd >= 0 && (fstat(path_fd, &found) < 0 || !S_ISREG(found.st_mode))) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    berth_autofd int fd = path_fd < 0 ? path_fd : open_file(path_fd, info->flags);
    if (fd < 0) {
        fuse_reply_err(request, -fd);
        return;
    }
    if ((info->flags & O_TRUNC) != 0 &&
        SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_MODIFY), ftruncate(fd, 0)) < 0) {
        fuse_reply_err(request, errno);
        return;
    }
    keep_open(request, id, berth_fd_steal(&fd), info);
    if (info->fh == 0)
        fuse_reply_err(request, ENFILE);
    else if (fuse_reply_open(request, info) == -ENOENT)
        berth_handles_release(share->handles, info->fh);
}

int share_open_again(guint64 id, bool is_directory, bool is_writable, int flags, gpointer user_data)
{
    Share *share = user_data;
    struct stat found;
    berth_autofd int path_fd =
        is_writable ? share_open_to_change(share, id) : share_open_node(share, id, NULL);
    if (path_fd < 0)
        return path_fd;
    if (is_directory)
        return berth_fd_reopen(path_fd, O_RDONLY | O_DIRECTORY);
    return fstat(path_fd, &found) == 0 && S_ISREG(found.st_mode) ? open_file(path_fd, flags)
                                                                 : -ESTALE;
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
    /* O_EXCL first; an existing file is opened without O_CREAT, as by open. */
    const int flags = host_flags(info->flags) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    berth_autofd int fd =
        SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_CREATE),
                        openat(parent_fd, name, flags | O_CREAT | O_EXCL, mode & 07777));
    bool is_new = fd >= 0;
    if (fd < 0 && errno == EEXIST && (info->flags & O_EXCL) == 0)
        fd = openat(parent_fd, name, flags);
    ShareFile file = {0};
    int result = fd < 0 ? -errno : 0;
    SHARE_LAYER_HOLD(share, parent);
    if (result == 0)
        result = share_layer_stat_child(share, parent, parent_fd, name, &file);
    if (result == 0 && !S_ISREG(file.attributes.st_mode))
        result = -EEXIST;
    if (result == 0 && !is_new && (info->flags & O_TRUNC) != 0 &&
        SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_MODIFY), ftruncate(fd, 0)) <
            0)
        result = -errno;
    if (result < 0) {
        fuse_reply_err(request, -result);
        return;
    }
    struct fuse_entry_param entry;
    share_enter(share, parent, parent_fd, name, &file, &entry);
    keep_open(request, entry.ino, berth_fd_steal(&fd), info);
    if (info->fh == 0)
        fuse_reply_err(request, ENFILE);
    else if (fuse_reply_create(request, &entry, info) == -ENOENT)
        berth_handles_release(share->handles, info->fh);
}

/* The handle of a request about data; NULL: it was answered. */
static BerthHandle *handle_of(fuse_req_t request, const struct fuse_file_info *info)
{
    BerthHandle *handle = berth_handles_get(share_of(request)->handles, info->fh);
    bool is_file = handle != NULL && !handle->is_directory;
    if (is_file && handle->fd >= 0)
        return handle;
    berth_handle_unref(handle);
    fuse_reply_err(request, is_file ? ESTALE : EBADF);
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
    ssize_t put = SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_MODIFY),
                                  pwrite(other >= 0 ? other : handle->fd, bytes, size, offset));
    int problem = errno;
    berth_fd_close(&other);
    share_echo_end(share, close_echo, true);
    if (put < 0)
        fuse_reply_err(request, problem);
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
    berth_handles_release(share->handles, info->fh);
    share_echo_end(share, echo, true);
    fuse_reply_err(request, 0);
}

void share_fsync(fuse_req_t request, fuse_ino_t id, int data, struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle != NULL)
        fuse_reply_err(request, (data ? fdatasync(handle->fd) : fsync(handle->fd)) < 0 ? errno : 0);
}

void share_fallocate(fuse_req_t request, fuse_ino_t id, int mode, off_t offset, off_t length,
                     struct fuse_file_info *info)
{
    Share *share = share_of(request);
    g_autoptr(BerthHandle) handle = handle_of(request, info);
    if (handle != NULL)
        fuse_reply_err(request, SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_MODIFY),
                                                fallocate(handle->fd, mode, offset, length)) < 0
                                    ? errno
                                    : 0);
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
    Share *share = share_of(request);
    ssize_t copied = SHARE_WITH_ECHO(
        share, share_echo_begin_node(share, to_id, IN_MODIFY),
        copy_file_range(source->fd, &from, target->fd, &to, length, (unsigned)flags));
    if (copied < 0)
        fuse_reply_err(request, errno);
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
