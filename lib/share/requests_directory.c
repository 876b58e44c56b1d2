/* SPDX-License-Identifier: MIT
 *
 * Requests about the entries of a directory.
 */
#include "share_private.h"

#include "base/fd.h"
#include "charge.h"
#include "layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/fs.h clashes with fuse's headers */
#define NOREPLACE 1u
#define EXCHANGE  2u

#define READ_SIZE 65536u

/* ---- making and removing ---- */

/* Open the directory @parent to add a file @name to it; the guest will have that file, so it is
 * watched. */
static int open_parent(Share *share, fuse_ino_t parent, const char *name)
{
    berth_autofd int fd = share_open_to_change(share, parent);
    if (fd < 0)
        return fd;
    int result = share_layer_prepare(share, parent, name, false);
    if (result < 0)
        return result;
    share_watch(share, parent, fd);
    return berth_fd_steal(&fd);
}

static void reply_new(fuse_req_t request, guint64 parent, int fd, const char *name)
{
    Share *share = share_of(request);
    ShareFile file = {0};
    struct fuse_entry_param entry;
    SHARE_LAYER_HOLD(share, parent);
    int result = share_layer_stat_child(share, parent, fd, name, &file);
    if (result < 0) {
        fuse_reply_err(request, -result);
        return;
    }
    share_enter(share, parent, fd, name, &file, &entry);
    fuse_reply_entry(request, &entry);
}

/* Begin to make a file in the directory @fd, node @parent; @fd may be an error. */
static int begin_new(Share *share, guint64 parent, int fd, ShareCharge *charge)
{
    share_charge_begin(share, parent, charge);
    if (fd < 0)
        return fd;
    share_charge_file(charge, fd);
    return share_charge_check(charge, SHARE_CHARGE_SMALL);
}

/* Answer @request, which has made @name, or failed with @result. */
static void finish_new(fuse_req_t request, guint64 parent, int fd, const char *name,
                       ShareCharge *charge, int result)
{
    if (result == 0)
        share_charge_made(charge, fd, name);
    share_charge_end(charge);
    if (result < 0)
        fuse_reply_err(request, -result);
    else
        reply_new(request, parent, fd, name);
}

/* No devices: they would be devices of the host. */
void share_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    Share *share = share_of(request);
    bool allowed = S_ISREG(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
    berth_autofd int fd = allowed ? open_parent(share, parent, name) : -EPERM;
    g_auto(ShareCharge) charge = {0};
    int result = begin_new(share, parent, fd, &charge);
    if (result == 0 && SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_CREATE),
                                       mknodat(fd, name, mode & (S_IFMT | 0777), 0)) < 0)
        result = -errno;
    finish_new(request, parent, fd, name, &charge, result);
}

void share_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    Share *share = share_of(request);
    berth_autofd int fd = open_parent(share, parent, name);
    g_auto(ShareCharge) charge = {0};
    int result = begin_new(share, parent, fd, &charge);
    if (result == 0 && SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_CREATE),
                                       mkdirat(fd, name, mode & 01777)) < 0)
        result = -errno;
    finish_new(request, parent, fd, name, &charge, result);
}

void share_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    Share *share = share_of(request);
    berth_autofd int fd = open_parent(share, parent, name);
    g_auto(ShareCharge) charge = {0};
    int result = begin_new(share, parent, fd, &charge);
    if (result == 0 && SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_CREATE),
                                       symlinkat(target, fd, name)) < 0)
        result = -errno;
    finish_new(request, parent, fd, name, &charge, result);
}

void share_link(fuse_req_t request, fuse_ino_t id, fuse_ino_t parent, const char *name)
{
    Share *share = share_of(request);
    char path[BERTH_FD_PATH_SIZE];
    berth_autofd int file = share_open_to_change(share, id);
    berth_autofd int fd = file < 0 ? file : open_parent(share, parent, name);
    g_auto(ShareCharge) charge = {0};
    int result = begin_new(share, parent, fd, &charge);
    berth_fd_self_path(file, path);
    if (result == 0)
        result = share_charge_same(share, id, parent);
    if (result == 0 && SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_CREATE),
                                       linkat(AT_FDCWD, path, fd, name, AT_SYMLINK_FOLLOW)) < 0)
        result = -errno;
    share_charge_end(&charge); /* the file was counted before */
    finish_new(request, parent, fd, name, &charge, result);
}

static void remove_entry(fuse_req_t request, fuse_ino_t parent, const char *name, int flags)
{
    Share *share = share_of(request);
    berth_autofd int fd = share_open_to_change(share, parent);
    if (fd < 0) {
        fuse_reply_err(request, -fd);
        return;
    }
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, parent, &charge);
    share_charge_file(&charge, fd);
    share_charge_name(&charge, fd, name);
    int result = SHARE_WITH_ECHO(share, share_echo_begin(share, parent, name, IN_DELETE),
                                 share_layer_unlink(share, parent, fd, name, flags)) < 0
                     ? -errno
                     : 0;
    share_charge_end(&charge);
    if (result < 0) {
        fuse_reply_err(request, -result);
        return;
    }
    g_mutex_lock(&share->lock);
    berth_nodes_remove(share->nodes, parent, name);
    g_mutex_unlock(&share->lock);
    fuse_reply_err(request, 0);
}

void share_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    remove_entry(request, parent, name, 0);
}

void share_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    remove_entry(request, parent, name, AT_REMOVEDIR);
}

/* Rename with the events of it. Returns 0 or -errno. */
static int rename_entry(Share *share, const ShareEntry *from, const ShareEntry *to, unsigned flags)
{
    const bool swaps = (flags & EXCHANGE) != 0;
    ShareEcho *echoes[] = {
        share_echo_begin(share, from->parent, from->name, IN_MOVED_FROM),
        share_echo_begin(share, to->parent, to->name, IN_MOVED_TO),
        swaps ? share_echo_begin(share, to->parent, to->name, IN_MOVED_FROM) : NULL,
        swaps ? share_echo_begin(share, from->parent, from->name, IN_MOVED_TO) : NULL,
    };
    int result = share_layer_rename(share, from, to, flags) < 0 ? -errno : 0;
    for (guint i = 0; i < G_N_ELEMENTS(echoes); i++)
        share_echo_end(share, echoes[i], result == 0);
    return result;
}

/* Copy what is to be renamed, as the rename would, where a quota limits that. */
static int copy_first(Share *share, fuse_ino_t parent, const char *name)
{
    if (!share->has_quotas)
        return 0;
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    g_mutex_unlock(&share->lock);
    return id != BERTH_NODE_NONE ? share_layer_copy_up(share, id) : 0;
}

/* The same, counted. A rename is never refused for its own blocks: it may be what frees some. */
static int rename_within(Share *share, const ShareEntry *from, const ShareEntry *to, unsigned flags)
{
    g_auto(ShareCharge) charge = {0};
    int result = share_charge_same(share, from->parent, to->parent);
    if (result == 0)
        result = copy_first(share, from->parent, from->name);
    if (result == 0 && (flags & EXCHANGE) != 0)
        result = copy_first(share, to->parent, to->name);
    if (result < 0)
        return result;
    share_charge_begin(share, to->parent, &charge);
    share_charge_file(&charge, from->fd);
    share_charge_file(&charge, to->fd);
    share_charge_name(&charge, to->fd, to->name);
    result = rename_entry(share, from, to, flags);
    share_charge_end(&charge);
    return result;
}

void share_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags)
{
    Share *share = share_of(request);
    berth_autofd int fd = share_open_to_change(share, parent);
    berth_autofd int new_fd = share_open_to_change(share, new_parent);
    const ShareEntry from = {parent, fd, name}, to = {new_parent, new_fd, new_name};
    int result = fd < 0 ? fd : new_fd < 0 ? new_fd : 0;
    if (result == 0 && (flags & ~(NOREPLACE | EXCHANGE)) != 0)
        result = -EINVAL;
    if (result == 0)
        result = rename_within(share, &from, &to, flags);
    if (result < 0) {
        fuse_reply_err(request, -result);
        return;
    }
    g_mutex_lock(&share->lock);
    berth_nodes_rename(share->nodes, parent, name, new_parent, new_name, (flags & EXCHANGE) != 0);
    g_mutex_unlock(&share->lock);
    fuse_reply_err(request, 0);
}

/* ---- reading ---- */

/* A directory that only leads to shares has no descriptor; its handle is 0. */
void share_opendir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    Share *share = share_of(request);
    berth_autofd int path_fd = share_open_node(share, id, NULL);
    if (path_fd == -ENOENT) {
        info->fh = 0;
        fuse_reply_open(request, info);
        return;
    }
    berth_autofd int fd = path_fd < 0 ? path_fd : berth_fd_reopen(path_fd, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        fuse_reply_err(request, -fd);
        return;
    }
    share_watch(share, id, path_fd);
    bool followed = share_entry_timeout(share, id) == BERTH_SHARE_WATCHED;
    info->fh = berth_handles_add(share->handles, berth_fd_steal(&fd), id, -1, true, false,
                                 share_layer_has(share, id), 0);
    info->keep_cache = info->cache_readdir = followed;
    if (info->fh == 0)
        fuse_reply_err(request, ENFILE);
    else if (fuse_reply_open(request, info) == -ENOENT)
        berth_handles_release(share->handles, info->fh);
}

/* The answer under construction. */
typedef struct {
    fuse_req_t request;
    guint64 parent;
    bool plus; /* with attributes, and a lookup each */
    int fd;
    char *bytes;
    size_t size, used;
    off_t skip; /* of fixed entries: those that the guest has */
    off_t count;
} Listing;

/* Add an entry. False: it does not fit. */
static bool add_entry(Listing *listing, const char *name, const struct fuse_entry_param *entry,
                      off_t next)
{
    char *at = listing->bytes + listing->used;
    size_t room = listing->size - listing->used;
    size_t need = listing->plus
                      ? fuse_add_direntry_plus(listing->request, at, room, name, entry, next)
                      : fuse_add_direntry(listing->request, at, room, name, &entry->attr, next);
    if (need > room)
        return false;
    listing->used += need;
    return true;
}

/* The entry "." or "..", or one that is gone: no lookup is counted. */
static void describe_plainly(const struct dirent64 *found, struct fuse_entry_param *ret_entry)
{
    *ret_entry = (struct fuse_entry_param){
        .attr = {.st_ino = found->d_ino, .st_mode = (mode_t)found->d_type << 12}};
}

static bool add_found(Listing *listing, const struct dirent64 *found)
{
    Share *share = share_of(listing->request);
    bool is_dots = strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0;
    struct fuse_entry_param entry;
    ShareFile file = {0};
    describe_plainly(found, &entry);
    SHARE_LAYER_HOLD(share, listing->parent);
    if (listing->plus && !is_dots &&
        share_layer_stat_child(share, listing->parent, listing->fd, found->d_name, &file) == 0) {
        share_enter(share, listing->parent, listing->fd, found->d_name, &file, &entry);
        if (add_entry(listing, found->d_name, &entry, found->d_off))
            return true;
        g_mutex_lock(&share->lock);
        berth_nodes_forget(share->nodes, entry.ino, 1);
        g_mutex_unlock(&share->lock);
        return false;
    }
    return add_entry(listing, found->d_name, &entry, found->d_off);
}

/* Add entries of the directory until it ends or the answer is full. */
static int add_all_found(Listing *listing, off_t offset)
{
    g_autofree char *buffer = g_malloc(READ_SIZE);
    if (lseek(listing->fd, offset, SEEK_SET) < 0)
        return -errno;
    for (;;) {
        long size = syscall(SYS_getdents64, listing->fd, buffer, MIN(READ_SIZE, listing->size));
        if (size <= 0)
            return size < 0 ? -errno : 0;
        for (long at = 0; at < size;) {
            const struct dirent64 *found = (const void *)(buffer + at);
            if (!add_found(listing, found))
                return 0;
            at += found->d_reclen;
        }
    }
}

/* The same of a directory with an overlay, whose entries are those of the first read. */
static int add_all_merged(Listing *listing, BerthHandle *handle, off_t offset)
{
    struct dirent64 found = {0};
    Share *share = share_of(listing->request);
    if (offset == 0 || handle->entries == NULL) {
        g_clear_pointer(&handle->entries, g_ptr_array_unref);
        handle->entries = share_layer_list(share, listing->parent);
    }
    if (handle->entries == NULL)
        return -errno;
    for (off_t at = MAX(offset, 0); at < handle->entries->len; at++) {
        const BerthOverlayEntry *entry = handle->entries->pdata[at];
        found.d_ino = entry->inode;
        found.d_type = entry->type;
        found.d_off = at + 1;
        g_strlcpy(found.d_name, entry->name, sizeof(found.d_name));
        if (!add_found(listing, &found))
            break;
    }
    return 0;
}

static void add_fixed(guint64 id, const char *name, gpointer user_data)
{
    Listing *listing = user_data;
    if (++listing->count <= listing->skip)
        return;
    struct fuse_entry_param entry = {.attr = {.st_ino = id, .st_mode = S_IFDIR}};
    listing->count -= !add_entry(listing, name, &entry, listing->count);
}

static int list(Listing *listing, guint64 number, off_t offset)
{
    Share *share = share_of(listing->request);
    if (number == 0) {
        listing->skip = offset;
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
        berth_nodes_each_fixed(share->nodes, listing->parent, add_fixed, listing);
        return 0;
    }
    g_autoptr(BerthHandle) handle = berth_handles_get(share->handles, number);
    if (handle == NULL || !handle->is_directory || handle->node != listing->parent)
        return -EBADF;
    if (handle->fd < 0)
        return -ESTALE;
    listing->fd = handle->fd;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handle->position);
    return share_layer_has(share, listing->parent) ? add_all_merged(listing, handle, offset)
                                                   : add_all_found(listing, offset);
}

static void reply_listing(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                          const struct fuse_file_info *info, bool plus)
{
    g_autofree char *bytes = g_malloc(MIN(size, SHARE_ANSWER_MAX));
    Listing listing = {.request = request,
                       .parent = id,
                       .plus = plus,
                       .fd = -1,
                       .bytes = bytes,
                       .size = MIN(size, SHARE_ANSWER_MAX)};
    int result = list(&listing, info->fh, offset);
    if (result < 0 && listing.used == 0)
        fuse_reply_err(request, -result);
    else
        fuse_reply_buf(request, bytes, listing.used);
}

void share_readdir(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                   struct fuse_file_info *info)
{
    reply_listing(request, id, size, offset, info, false);
}

void share_readdirplus(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    reply_listing(request, id, size, offset, info, true);
}

void share_releasedir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    berth_handles_release(share_of(request)->handles, info->fh);
    fuse_reply_err(request, 0);
}

void share_fsyncdir(fuse_req_t request, fuse_ino_t id, int data, struct fuse_file_info *info)
{
    g_autoptr(BerthHandle) handle = berth_handles_get(share_of(request)->handles, info->fh);
    if (handle == NULL)
        fuse_reply_err(request, info->fh == 0 ? 0 : EBADF);
    else if (handle->fd < 0)
        fuse_reply_err(request, ESTALE);
    else
        fuse_reply_err(request, (data ? fdatasync(handle->fd) : fsync(handle->fd)) < 0 ? errno : 0);
}
