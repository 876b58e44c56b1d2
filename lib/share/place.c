/* SPDX-License-Identifier: MIT */
#include "share_private.h"

#include "base/fd.h"
#include "layer.h"
#include "overlay/beneath.h"
#include "wire/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DISTRO_MAX 128
#define NOBODY 65534u

static mode_t shown_mode(const Share *share, const struct statx *info)
{
    bool ours = info->stx_uid == share->uid;
    return ours ? info->stx_mode : info->stx_mode & (mode_t) ~(S_ISUID | S_ISGID);
}

/* Two file systems may have the same inode number; what compares numbers, as tar does to find hard
 * links, sees the device only of the whole mount. */
ino_t share_shown_inode(const BerthNodeKey *key)
{
    return key->inode ^ ((ino_t)minor(key->device) << 40) ^ ((ino_t)major(key->device) << 52);
}

/* Whether the file is the root of a mount of this server's own distro: each request there waits for
 * the guest, and the guest waits for this server. Neither question reaches the guest. */
static bool is_own_mount(const Share *share, int fd, const char *name, int flags)
{
    struct statx info;
    char path[BERTH_FD_PATH_SIZE], id[DISTRO_MAX];
    if (statx(fd, name, flags | AT_STATX_DONT_SYNC, STATX_TYPE, &info) < 0 ||
        (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
        return false;
    berth_autofd int root = *name == '\0' ? -1 : openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    berth_fd_self_path(root >= 0 ? root : fd, path);
    ssize_t size = getxattr(path, WIRE_MOUNT_DISTRO, id, sizeof(id));
    return size == (ssize_t)strlen(share->distro) && memcmp(id, share->distro, (size_t)size) == 0;
}

int share_stat(const Share *share, int fd, const char *name, ShareFile *ret_file)
{
    struct statx info;
    int flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);
    if (is_own_mount(share, fd, name, flags))
        return -EREMOTE;
    if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &info) < 0)
        return -errno;
    bool born = (info.stx_mask & STATX_BTIME) != 0;
    *ret_file =
        (ShareFile){.key = {.device = makedev(info.stx_dev_major, info.stx_dev_minor),
                            .inode = info.stx_ino,
                            .birth_nsec = born ? (guint64)info.stx_btime.tv_sec * 1000000000u +
                                                     info.stx_btime.tv_nsec
                                               : 0},
                    .attributes = {
                        .st_mode = shown_mode(share, &info),
                        .st_nlink = info.stx_nlink,
                        .st_uid = info.stx_uid == share->uid ? share->guest_uid : NOBODY,
                        .st_gid = info.stx_gid == share->gid ? share->guest_gid : NOBODY,
                        .st_rdev = makedev(info.stx_rdev_major, info.stx_rdev_minor),
                        .st_size = (off_t)info.stx_size,
                        .st_blksize = (blksize_t)info.stx_blksize,
                        .st_blocks = (blkcnt_t)info.stx_blocks,
                        .st_atim = {info.stx_atime.tv_sec, info.stx_atime.tv_nsec},
                        .st_mtim = {info.stx_mtime.tv_sec, info.stx_mtime.tv_nsec},
                        .st_ctim = {info.stx_ctime.tv_sec, info.stx_ctime.tv_nsec},
                    }};
    ret_file->attributes.st_ino = share_shown_inode(&ret_file->key);
    return 0;
}

/* Open the file at @path; -ESTALE if it is not @key's (NULL: any file is right). */
static int open_place(const Share *share, int root, const char *path, const BerthNodeKey *key)
{
    int fd = berth_beneath_open(share->roots[root].fd, path);
    ShareFile file = {0};
    if (fd < 0 || key == NULL)
        return fd;
    int result = share_stat(share, fd, "", &file);
    if (result == 0 && berth_node_key_equal(&file.key, key))
        return fd;
    berth_fd_close(&fd);
    return -ESTALE;
}

/* Open a file that the host has unlinked or moved, by a handle that the guest has of it. @problem
 * is the result of opening its place. */
static int open_by_handle(Share *share, fuse_ino_t id, int problem, bool to_change)
{
    bool gone = problem == -ENOENT || problem == -ENOTDIR || problem == -ELOOP || problem == -EXDEV;
    g_autoptr(BerthHandle) handle = berth_handles_find(share->handles, id, to_change);
    if (handle != NULL && !(to_change && handle->is_protected))
        return berth_fd_reopen(handle->fd, O_PATH);
    return gone ? -ESTALE : problem;
}

/* @to_change: of a share with an overlay, no file of the host. */
static int open_node(Share *share, fuse_ino_t id, int *ret_root, bool to_change)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthNodeKey key = {0};
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    bool is_fixed = node != NULL && node->fixed;
    if (node != NULL)
        key = node->key;
    int root = berth_nodes_path(share->nodes, id, path);
    g_mutex_unlock(&share->lock);

    if (ret_root != NULL)
        *ret_root = root;
    if (node == NULL)
        return -ESTALE;
    if (root < 0 && is_fixed)
        return -ENOENT;
    BerthOverlay *overlay = root >= 0 ? share->roots[root].overlay : NULL;
    const BerthNodeKey *wanted = is_fixed ? NULL : &key;
    int fd = -ESTALE;
    if (overlay != NULL)
        fd = share_layer_open(share, overlay, path->str, wanted, to_change);
    else if (root >= 0)
        fd = open_place(share, root, path->str, wanted);
    return fd >= 0 ? fd : open_by_handle(share, id, fd, to_change);
}

int share_open_node(Share *share, fuse_ino_t id, int *ret_root)
{
    SHARE_LAYER_HOLD(share, id);
    return open_node(share, id, ret_root, false);
}

int share_open_held_node(Share *share, fuse_ino_t id)
{
    return open_node(share, id, NULL, false);
}

int share_open_to_change(Share *share, fuse_ino_t id)
{
    int root;
    int result = share_layer_copy_up(share, id);
    if (result < 0)
        return result;
    SHARE_LAYER_HOLD(share, id);
    int fd = open_node(share, id, &root, true);
    if (fd == -ENOENT || (fd >= 0 && root >= 0 && share->roots[root].read_only)) {
        berth_fd_close(&fd);
        return -EROFS;
    }
    return fd;
}

int share_root_of(Share *share, fuse_ino_t id)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    return berth_nodes_path(share->nodes, id, path);
}

void share_fixed_attributes(const Share *share, guint64 id, struct stat *ret_attributes)
{
    *ret_attributes = (struct stat){.st_ino = id, .st_mode = S_IFDIR | 0555, .st_nlink = 2};
}

static double timeout(bool is_watched)
{
    return is_watched ? BERTH_SHARE_WATCHED : BERTH_SHARE_UNWATCHED;
}

/* Whether changes in directory @id are reported; a directory that only leads to shares has none. */
static bool is_followed(const BerthNodes *nodes, guint64 id)
{
    const BerthNode *node = berth_nodes_get(nodes, id);
    return node != NULL && (node->watch >= 0 || (node->fixed && node->share < 0));
}

double share_entry_timeout(Share *share, guint64 parent)
{
    if (share_replay_is_in(share, parent))
        return 0;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    return timeout(is_followed(share->nodes, parent));
}

/* Changes of a file are reported in its directory, those of a share's root in itself. A change by
 * another name of the file is reported where that name is, which may be nowhere; so is one by a
 * name that was removed while it was open. */
double share_attribute_timeout(Share *share, fuse_ino_t id, const struct stat *attributes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node == NULL)
        return BERTH_SHARE_UNWATCHED;
    if (node->fixed)
        return timeout(is_followed(share->nodes, id));
    bool one_name = S_ISDIR(attributes->st_mode) || (attributes->st_nlink <= 1 && !node->had_names);
    return timeout(one_name && is_followed(share->nodes, node->parent));
}

void share_enter(Share *share, guint64 parent, int parent_fd, const char *name,
                 const ShareFile *file, struct fuse_entry_param *ret_entry)
{
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_get(share->nodes, parent) != NULL
                     ? berth_nodes_look_up(share->nodes, parent, name, &file->key)
                     : BERTH_NODE_NONE;
    berth_nodes_set_type(share->nodes, id, file->attributes.st_mode);
    g_mutex_unlock(&share->lock);
    share_watch_ahead(share, id, parent_fd, name, file);
    *ret_entry = (struct fuse_entry_param){
        .ino = id,
        .attr = file->attributes,
        .attr_timeout = share_attribute_timeout(share, id, &file->attributes),
        .entry_timeout = share_entry_timeout(share, parent)};
}
