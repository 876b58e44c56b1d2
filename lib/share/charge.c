/* SPDX-License-Identifier: MIT */
#include "charge.h"

#include "base/error.h"
#include "base/fd.h"
#include "holes.h"
#include "layer.h"
#include "overlay/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SECTOR   512u /* st_blocks counts these */
#define UNIT_MIN 4096u
#define UNIT_MAX (1u << 20)

/* ---- which quota ---- */

int share_charge_root(Share *share, fuse_ino_t id)
{
    int root = share_root_of(share, id);
    if (root >= 0)
        return root;
    g_autoptr(BerthHandle) handle = berth_handles_find(share->handles, id, false);
    return handle != NULL ? handle->root : -1;
}

static BerthQuota *quota_at(const Share *share, int root)
{
    return root >= 0 ? share->roots[root].quota : NULL;
}

BerthQuota *share_quota_of(Share *share, fuse_ino_t id)
{
    return share->has_quotas ? quota_at(share, share_charge_root(share, id)) : NULL;
}

int share_charge_same(Share *share, fuse_ino_t one, fuse_ino_t other)
{
    return share_quota_of(share, one) == share_quota_of(share, other) ? 0 : -EXDEV;
}

/* ---- measuring ---- */

static guint64 bytes_of(const ShareFile *file)
{
    return (guint64)file->attributes.st_blocks * SECTOR;
}

static bool has_file(const ShareCharge *charge, const BerthNodeKey *key)
{
    for (guint i = 0; i < charge->n_files; i++)
        if (berth_node_key_equal(&charge->files[i].key, key))
            return true;
    return false;
}

/* Takes @fd, which may be -1. @is_new: all its blocks are the request's. */
static void add_file(ShareCharge *charge, int fd, bool is_new)
{
    ShareFile file = {0};
    if (fd < 0 || charge->n_files == SHARE_CHARGE_FILES ||
        share_stat(charge->share, fd, "", &file) < 0 || has_file(charge, &file.key)) {
        berth_fd_close(&fd);
        return;
    }
    guint at = charge->n_files++;
    charge->files[at].fd = fd;
    charge->files[at].key = file.key;
    charge->files[at].bytes = is_new ? 0 : bytes_of(&file);
    charge->files[at].linked = file.attributes.st_nlink > 0;
}

void share_charge_file(ShareCharge *charge, int fd)
{
    if (charge->quota != NULL && fd >= 0)
        add_file(charge, berth_fd_reopen(fd, O_PATH), false);
}

static int open_name(int parent_fd, const char *name)
{
    return openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

void share_charge_name(ShareCharge *charge, int parent_fd, const char *name)
{
    if (charge->quota != NULL)
        add_file(charge, open_name(parent_fd, name), false);
}

void share_charge_made(ShareCharge *charge, int parent_fd, const char *name)
{
    if (charge->quota != NULL)
        add_file(charge, open_name(parent_fd, name), true);
}

static void begin(Share *share, BerthQuota *quota, ShareCharge *charge)
{
    *charge = (ShareCharge){.share = share, .quota = quota};
    if (quota != NULL)
        berth_quota_lock(quota);
}

void share_charge_begin(Share *share, fuse_ino_t id, ShareCharge *charge)
{
    begin(share, share_quota_of(share, id), charge);
}

void share_charge_begin_root(Share *share, int root, ShareCharge *charge)
{
    begin(share, quota_at(share, root), charge);
}

static bool is_open(Share *share, const BerthNodeKey *key)
{
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_find_key(share->nodes, key);
    g_mutex_unlock(&share->lock);
    g_autoptr(BerthHandle) handle =
        id != BERTH_NODE_NONE ? berth_handles_find(share->handles, id, false) : NULL;
    return handle != NULL;
}

static void count(const ShareCharge *charge, guint at)
{
    ShareFile file = {0};
    const BerthNodeKey *key = &charge->files[at].key;
    if (share_stat(charge->share, charge->files[at].fd, "", &file) < 0)
        return;
    if (charge->files[at].linked && file.attributes.st_nlink == 0)
        berth_quota_unlinked(charge->quota, key, charge->files[at].bytes,
                             is_open(charge->share, key));
    else
        berth_quota_change(charge->quota, key,
                           (gint64)bytes_of(&file) - (gint64)charge->files[at].bytes);
}

void share_charge_end(ShareCharge *charge)
{
    int problem = errno;
    if (charge->quota == NULL)
        return;
    for (guint i = 0; i < charge->n_files; i++) {
        count(charge, i);
        berth_fd_close(&charge->files[i].fd);
    }
    charge->n_files = 0;
    berth_quota_unlock(charge->quota);
    charge->quota = NULL;
    errno = problem;
}

/* A file system may have given a growing file more blocks than it needs, and free them now. */
void share_charge_release(Share *share, guint64 number)
{
    ShareFile before = {0}, after = {0};
    BerthHandle *handle = share->has_quotas ? berth_handles_get(share->handles, number) : NULL;
    BerthQuota *quota = handle != NULL ? quota_at(share, handle->root) : NULL;
    berth_autofd int fd =
        quota != NULL && handle->fd >= 0 ? berth_fd_reopen(handle->fd, O_PATH) : -1;
    berth_handle_unref(handle);
    if (fd < 0) {
        berth_handles_release(share->handles, number);
        return;
    }
    bool known = share_stat(share, fd, "", &before) == 0;
    berth_handles_release(share->handles, number); /* waits for requests that may want the turn */
    berth_quota_lock(quota);
    if (known && share_stat(share, fd, "", &after) == 0 && !is_open(share, &after.key)) {
        if (after.attributes.st_nlink == 0)
            berth_quota_closed(quota, &after.key);
        else if (bytes_of(&after) < bytes_of(&before))
            berth_quota_change(quota, &after.key,
                               (gint64)bytes_of(&after) - (gint64)bytes_of(&before));
    }
    berth_quota_unlock(quota);
}

/* ---- what fits ---- */

int share_charge_check(const ShareCharge *charge, guint64 bytes)
{
    return charge->quota == NULL || bytes <= berth_quota_left(charge->quota) ? 0 : -ENOSPC;
}

guint64 share_charge_room(const ShareCharge *charge, int fd, off_t offset, guint64 length)
{
    struct stat info;
    if (charge->quota == NULL || length == 0)
        return length;
    if (fstat(fd, &info) < 0 || offset < 0)
        return 0;
    guint64 left = berth_quota_left(charge->quota);
    guint64 unit = CLAMP((guint64)info.st_blksize, UNIT_MIN, UNIT_MAX);
    if (length < left && left - length >= 2 * unit)
        return length;
    g_autoptr(GArray) holes = berth_holes_find(fd, (guint64)offset, length);
    return berth_quota_prefix(left, unit, (guint64)offset, length, (const guint64 *)holes->data,
                              holes->len);
}

void share_quota_limit(BerthQuota *quota, struct statvfs *info)
{
    guint64 unit = MAX(info->f_frsize, 1);
    fsblkcnt_t left = berth_quota_left(quota) / unit;
    info->f_blocks = berth_quota_limit(quota) / unit;
    info->f_bavail = MIN(info->f_bavail, left);
    info->f_bfree = MIN(info->f_bfree, left);
}

/* ---- a server's begin ---- */

/* The changes that a share keeps beside it are measured, so that their count needs no file. */
static bool measure(const ShareRoot *root, BerthQuota *quota, GError **error)
{
    guint64 used = 0;
    int result = berth_overlay_usage(root->overlay, &used);
    berth_quota_set(quota, used);
    if (result == 0)
        return true;
    berth_error_set_errno(error, -result, "share.quota", "measure the changes");
    return false;
}

bool share_quota_start(Share *share, guint root, const BerthShareRoot *setup, GError **error)
{
    ShareRoot *opened = &share->roots[root];
    if (setup->limit == 0)
        return true;
    opened->quota = berth_quota_new(setup->limit);
    share->has_quotas = true;
    return opened->overlay != NULL ? measure(opened, opened->quota, error)
                                   : berth_quota_keep(opened->quota, setup->count, error);
}

void share_quota_measure(Share *share, guint root)
{
    const ShareRoot *opened = &share->roots[root];
    if (opened->quota != NULL)
        measure(opened, opened->quota, NULL);
}

void share_quotas_resume(Share *share)
{
    for (guint i = 0; i < share->n_roots; i++)
        if (share->roots[i].quota != NULL && share->roots[i].overlay == NULL)
            berth_quota_resume(share->roots[i].quota);
}
