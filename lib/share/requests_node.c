/* SPDX-License-Identifier: MIT
 *
 * Requests about a node: lookup, attributes, extended attributes.
 */
#include "share_private.h"

#include "base/fd.h"
#include "charge.h"
#include "layer.h"
#include "wire/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- lookup ---- */

static void reply_fixed(fuse_req_t request, guint64 id)
{
    struct fuse_entry_param entry = {
        .ino = id, .attr_timeout = BERTH_SHARE_WATCHED, .entry_timeout = BERTH_SHARE_WATCHED};
    share_fixed_attributes(share_of(request), id, &entry.attr);
    fuse_reply_entry(request, &entry);
}

static void reply_share_root(fuse_req_t request, guint64 id)
{
    Share *share = share_of(request);
    ShareFile file = {0};
    berth_autofd int fd = share_open_node(share, id, NULL);
    int result = fd < 0 ? fd : share_layer_stat_node(share, id, fd, &file);
    if (result < 0) {
        fuse_reply_err(request, -result);
        return;
    }
    share_watch(share, id, fd);
    struct fuse_entry_param entry = {.ino = id,
                                     .attr = file.attributes,
                                     .attr_timeout =
                                         share_attribute_timeout(share, id, &file.attributes),
                                     .entry_timeout = BERTH_SHARE_WATCHED};
    fuse_reply_entry(request, &entry);
}

/* A fixed node called @name in @parent, or BERTH_NODE_NONE. */
static guint64 find_fixed(Share *share, guint64 parent, const char *name, bool *ret_is_root)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node == NULL || !node->fixed)
        return BERTH_NODE_NONE;
    *ret_is_root = node->share >= 0;
    return id;
}

static void reply_missing(fuse_req_t request, guint64 parent)
{
    struct fuse_entry_param none = {.entry_timeout =
                                        share_entry_timeout(share_of(request), parent)};
    fuse_reply_entry(request, &none);
}

void share_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    Share *share = share_of(request);
    bool is_root = false;
    guint64 fixed = find_fixed(share, parent, name, &is_root);
    if (fixed != BERTH_NODE_NONE) {
        if (is_root)
            reply_share_root(request, fixed);
        else
            reply_fixed(request, fixed);
        return;
    }

    berth_autofd int fd = share_open_node(share, parent, NULL);
    if (fd == -ENOENT) {
        reply_missing(request, parent);
        return;
    }
    if (fd < 0) {
        fuse_reply_err(request, -fd);
        return;
    }
    share_watch(share, parent, fd); /* before stat, so that no change is missed */
    ShareFile file = {0};
    SHARE_LAYER_HOLD(share, parent);
    int result = share_layer_stat_child(share, parent, fd, name, &file);
    if (result == -ENOENT) {
        reply_missing(request, parent);
        return;
    }
    struct fuse_entry_param entry;
    if (result == 0)
        share_enter(share, parent, fd, name, &file, &entry);
    if (result == 0)
        fuse_reply_entry(request, &entry);
    else
        fuse_reply_err(request, -result);
}

void share_forget(fuse_req_t request, fuse_ino_t id, uint64_t count)
{
    Share *share = share_of(request);
    g_mutex_lock(&share->lock);
    berth_nodes_forget(share->nodes, id, count);
    g_mutex_unlock(&share->lock);
    fuse_reply_none(request);
}

void share_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    Share *share = share_of(request);
    g_mutex_lock(&share->lock);
    for (size_t i = 0; i < count; i++)
        berth_nodes_forget(share->nodes, forgets[i].ino, forgets[i].nlookup);
    g_mutex_unlock(&share->lock);
    fuse_reply_none(request);
}

/* ---- attributes ---- */

static void reply_attributes(fuse_req_t request, fuse_ino_t id, int fd)
{
    Share *share = share_of(request);
    ShareFile file = {0};
    int result = share_layer_stat_node(share, id, fd, &file);
    if (result == 0)
        fuse_reply_attr(request, &file.attributes,
                        share_attribute_timeout(share, id, &file.attributes));
    else
        fuse_reply_err(request, -result);
}

void share_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    g_autoptr(BerthHandle) handle =
        info != NULL ? berth_handles_get(share->handles, info->fh) : NULL;
    if (handle != NULL && handle->fd >= 0 && handle->node == id) {
        reply_attributes(request, id, handle->fd);
        return;
    }
    berth_autofd int fd = share_open_node(share, id, NULL);
    if (fd == -ENOENT) {
        struct stat attributes;
        share_fixed_attributes(share, id, &attributes);
        fuse_reply_attr(request, &attributes, BERTH_SHARE_WATCHED);
        return;
    }
    if (fd < 0)
        fuse_reply_err(request, -fd);
    else
        reply_attributes(request, id, fd);
}

/* Another owner than the user would need privileges. The host's chown takes setuid and setgid away
 * and refuses files of others. */
static int set_owner(Share *share, fuse_ino_t id, int fd, const struct stat *attributes, int which)
{
    bool sets_uid = (which & FUSE_SET_ATTR_UID) != 0, sets_gid = (which & FUSE_SET_ATTR_GID) != 0;
    if ((sets_uid && attributes->st_uid != share->guest_uid) ||
        (sets_gid && attributes->st_gid != share->guest_gid))
        return -EPERM;
    return SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_ATTRIB),
                           fchownat(fd, "", sets_uid ? share->uid : (uid_t)-1,
                                    sets_gid ? share->gid : (gid_t)-1, AT_EMPTY_PATH)) < 0
               ? -errno
               : 0;
}

static int set_mode(Share *share, fuse_ino_t id, int fd, mode_t mode)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(fd, path);
    return SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_ATTRIB),
                           chmod(path, mode & 07777)) < 0
               ? -errno
               : 0;
}

static int set_size(Share *share, fuse_ino_t id, int fd, off_t size,
                    const struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle =
        info != NULL ? berth_handles_get(share->handles, info->fh) : NULL;
    bool by_handle = handle != NULL && handle->fd >= 0 && handle->is_writable;
    berth_autofd int file = by_handle ? -1 : berth_fd_reopen(fd, O_WRONLY);
    if (!by_handle && file < 0)
        return file;
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, id, &charge);
    share_charge_file(&charge, fd);
    ShareEcho *echo = by_handle ? NULL : share_echo_begin_node(share, id, IN_CLOSE_WRITE);
    int result = SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_MODIFY),
                                 ftruncate(by_handle ? handle->fd : file, size)) < 0
                     ? -errno
                     : 0;
    berth_fd_close(&file);
    share_echo_end(share, echo, true);
    share_charge_end(&charge);
    return result;
}

static struct timespec time_to_set(int which, int set, int now, struct timespec value)
{
    if ((which & now) != 0)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (which & set) != 0 ? value : (struct timespec){.tv_nsec = UTIME_OMIT};
}

/* As the kernel sees it: both times are a change of attributes, the second alone of the data. */
static guint32 event_of(const struct timespec times[2])
{
    if (times[1].tv_nsec == UTIME_OMIT)
        return 0;
    return times[0].tv_nsec == UTIME_OMIT ? IN_MODIFY : IN_ATTRIB;
}

static int set_times(Share *share, fuse_ino_t id, int fd, const struct stat *attributes, int which)
{
    const struct timespec times[] = {
        time_to_set(which, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, attributes->st_atim),
        time_to_set(which, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, attributes->st_mtim),
    };
    guint32 event = event_of(times);
    return SHARE_WITH_ECHO(share, event != 0 ? share_echo_begin_node(share, id, event) : NULL,
                           utimensat(fd, "", times, AT_EMPTY_PATH)) < 0
               ? -errno
               : 0;
}

static int set_attributes(Share *share, fuse_ino_t id, int fd, const struct stat *attributes,
                          int which, const struct fuse_file_info *info)
{
    const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
                      FUSE_SET_ATTR_MTIME_NOW;
    const int owner = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
    int result = (which & owner) != 0 ? set_owner(share, id, fd, attributes, which) : 0;
    if (result == 0 && (which & FUSE_SET_ATTR_MODE) != 0)
        result = set_mode(share, id, fd, attributes->st_mode);
    if (result == 0 && (which & FUSE_SET_ATTR_SIZE) != 0)
        result = set_size(share, id, fd, attributes->st_size, info);
    if (result == 0 && (which & times) != 0)
        result = set_times(share, id, fd, attributes, which);
    return result;
}

void share_setattr(fuse_req_t request, fuse_ino_t id, struct stat *attributes, int which,
                   struct fuse_file_info *info)
{
    Share *share = share_of(request);
    berth_autofd int fd = share_open_to_change(share, id);
    int result = fd < 0 ? fd : set_attributes(share, id, fd, attributes, which, info);
    if (result < 0)
        fuse_reply_err(request, -result);
    else
        reply_attributes(request, id, fd);
}

void share_readlink(fuse_req_t request, fuse_ino_t id)
{
    char target[PATH_MAX + 1];
    berth_autofd int fd = share_open_node(share_of(request), id, NULL);
    ssize_t size = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
    if (size < 0) {
        fuse_reply_err(request, fd < 0 ? -fd : errno);
        return;
    }
    target[size] = '\0';
    fuse_reply_readlink(request, target);
}

void share_statfs(fuse_req_t request, fuse_ino_t id)
{
    struct statvfs info = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255};
    berth_autofd int fd = share_open_node(share_of(request), id, NULL);
    if (fd >= 0 && fstatvfs(fd, &info) < 0)
        fuse_reply_err(request, errno);
    else if (fd < 0 && fd != -ENOENT)
        fuse_reply_err(request, -fd);
    else {
        BerthQuota *quota = fd >= 0 ? share_quota_of(share_of(request), id) : NULL;
        if (quota != NULL)
            share_quota_limit(quota, &info);
        fuse_reply_statfs(request, &info);
    }
}

/* ---- extended attributes ---- */

/* The others (capabilities, labels, ACLs that name users) belong to the host. */
static bool is_users(const char *name)
{
    return g_str_has_prefix(name, "user.") && !g_str_equal(name, BERTH_OVERLAY_ATTRIBUTE);
}

void share_setxattr(fuse_req_t request, fuse_ino_t id, const char *name, const char *value,
                    size_t size, int flags)
{
    if (!is_users(name)) {
        fuse_reply_err(request, EOPNOTSUPP);
        return;
    }
    char path[BERTH_FD_PATH_SIZE];
    Share *share = share_of(request);
    berth_autofd int fd = share_open_to_change(share, id);
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, id, &charge);
    share_charge_file(&charge, fd);
    berth_fd_self_path(fd, path);
    int result = fd < 0 ? fd : share_charge_check(&charge, MAX(size, SHARE_CHARGE_SMALL));
    if (result == 0 && SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_ATTRIB),
                                       setxattr(path, name, value, size, flags)) < 0)
        result = -errno;
    share_charge_end(&charge);
    fuse_reply_err(request, -result);
}

void share_getxattr(fuse_req_t request, fuse_ino_t id, const char *name, size_t size)
{
    if (strcmp(name, WIRE_SETTLE_ATTRIBUTE) == 0) {
        share_barrier_begin(request, size);
        return;
    }
    if (!is_users(name)) {
        fuse_reply_err(request, ENODATA);
        return;
    }
    char path[BERTH_FD_PATH_SIZE];
    berth_autofd int fd = share_open_node(share_of(request), id, NULL);
    berth_fd_self_path(fd, path);
    size = MIN(size, XATTR_SIZE_MAX);
    g_autofree char *value = g_malloc(MAX(size, 1));
    ssize_t length = fd < 0 ? -1 : getxattr(path, name, value, size);
    if (length < 0)
        fuse_reply_err(request, fd == -ENOENT ? ENODATA : fd < 0 ? -fd : errno);
    else if (size == 0)
        fuse_reply_xattr(request, (size_t)length);
    else
        fuse_reply_buf(request, value, (size_t)length);
}

/* Keep the user's names of the list @names, @size bytes. Returns its size then. */
static size_t keep_users(char *names, size_t size)
{
    size_t kept = 0;
    for (size_t at = 0; at < size;) {
        size_t length = strlen(names + at) + 1;
        if (is_users(names + at)) {
            memmove(names + kept, names + at, length);
            kept += length;
        }
        at += length;
    }
    return kept;
}

void share_listxattr(fuse_req_t request, fuse_ino_t id, size_t size)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_autofd int fd = share_open_node(share_of(request), id, NULL);
    berth_fd_self_path(fd, path);
    g_autofree char *names = g_malloc(XATTR_LIST_MAX);
    ssize_t length = fd < 0 ? -1 : listxattr(path, names, XATTR_LIST_MAX);
    if (length < 0) {
        fuse_reply_err(request, fd == -ENOENT ? 0 : fd < 0 ? -fd : errno);
        return;
    }
    size_t kept = keep_users(names, (size_t)length);
    if (size == 0)
        fuse_reply_xattr(request, kept);
    else if (kept > size)
        fuse_reply_err(request, ERANGE);
    else
        fuse_reply_buf(request, names, kept);
}

void share_removexattr(fuse_req_t request, fuse_ino_t id, const char *name)
{
    char path[BERTH_FD_PATH_SIZE];
    Share *share = share_of(request);
    berth_autofd int fd = is_users(name) ? share_open_to_change(share, id) : -ENODATA;
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, id, &charge);
    share_charge_file(&charge, fd);
    berth_fd_self_path(fd, path);
    int result = MIN(fd, 0);
    if (result == 0 && SHARE_WITH_ECHO(share, share_echo_begin_node(share, id, IN_ATTRIB),
                                       removexattr(path, name)) < 0)
        result = -errno;
    share_charge_end(&charge);
    fuse_reply_err(request, -result);
}
