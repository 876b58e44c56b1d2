/* SPDX-License-Identifier: MIT
 *
 * charge — counts what one request adds to the quota of a share, or frees.
 *
 * A request begins its charge, names the files that it is about to change, makes its calls and ends
 * the charge, which measures the files again. All requests of a share that may change the count
 * take turns, so one request at most is under way when the limit is reached. A charge begins after
 * share_open_to_change, which has one of its own, and before SHARE_LAYER_HOLD. For a share without
 * a quota nothing here does anything.
 *
 * Functions that return int return 0 or -errno.
 */
#pragma once

#include "share_private.h"

#include "quota.h"

G_BEGIN_DECLS

#define SHARE_CHARGE_FILES 4

/* What must be left for a request that may need a block or two. */
#define SHARE_CHARGE_SMALL 4096u

typedef struct {
    Share *share;
    BerthQuota *quota; /* borrowed; NULL: there is nothing to count */
    struct {
        int fd;
        BerthNodeKey key;
        guint64 bytes; /* before the request */
        bool linked;
    } files[SHARE_CHARGE_FILES];
    guint n_files;
} ShareCharge;

/* Begin the charge of a request that changes node @id, or a name in it; waits for its turn. */
void share_charge_begin(Share *share, fuse_ino_t id, ShareCharge *charge);

/* The same of a request by a handle whose share is @root. */
void share_charge_begin_root(Share *share, int root, ShareCharge *charge);

/* Count the changes and end the turn, before the guest has the answer. Keeps errno. A second end
 * does nothing. */
void share_charge_end(ShareCharge *charge);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ShareCharge, share_charge_end)

/* The request may change file @fd; the file @name in @parent_fd, if there is one; or has made the
 * latter. */
void share_charge_file(ShareCharge *charge, int fd);
void share_charge_name(ShareCharge *charge, int parent_fd, const char *name);
void share_charge_made(ShareCharge *charge, int parent_fd, const char *name);

/* -ENOSPC: @bytes more would not fit. */
int share_charge_check(const ShareCharge *charge, guint64 bytes);

/* The part of @length bytes at @offset of file @fd that may be written, from its begin on. */
guint64 share_charge_room(const ShareCharge *charge, int fd, off_t offset, guint64 length);

/* -EXDEV: the two directories belong to different counts, so that no file may be moved or linked
 * from one to the other. */
int share_charge_same(Share *share, fuse_ino_t one, fuse_ino_t other);

/* The root that node @id lies in; if its place is gone, the one that a handle of it was opened in;
 * or -1. A handle without a root must not be made where there are quotas: it would not be
 * counted. */
int share_charge_root(Share *share, fuse_ino_t id);

/* The quota of node @id, or NULL. Borrowed. */
BerthQuota *share_quota_of(Share *share, fuse_ino_t id);

/* The guest closes handle @number: release it, and count what that frees. */
void share_charge_release(Share *share, guint64 number);

/* Give root @root, which is open, the quota of @setup. Errors: "share.quota". */
bool share_quota_start(Share *share, guint root, const BerthShareRoot *setup, GError **error);

/* Changes that are kept beside the share @root were accepted or discarded: measure the others. */
void share_quota_measure(Share *share, guint root);

/* Former servers have ended: read the counts. */
void share_quotas_resume(Share *share);

/* Replace the figures of the file system by those of the quota, where that leaves less. */
struct statvfs;
void share_quota_limit(BerthQuota *quota, struct statvfs *info);

G_END_DECLS
