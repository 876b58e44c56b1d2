/* SPDX-License-Identifier: MIT
 *
 * quota — how many bytes the guest has added to a share, and how many it may.
 *
 * The count is of allocated blocks, net of those that the guest freed, and never below 0: what the
 * guest deletes of the host's own files gives no credit for later. Blocks of a file whose last name
 * was removed while the guest has it open are an orphan's: they count until the last close, or the
 * end of this server, which closes it too.
 *
 * A file keeps the count without the orphans from one server to the next: 20 digits and a newline,
 * written by one call after each change. If the host crashes, the file may be older than the data.
 *
 * Requests take turns (berth_quota_lock), so that what one measures is its own doing. The other
 * functions may be called at any time from any thread.
 */
#pragma once

#include "ledger.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthQuota BerthQuota;

/* @limit in bytes. */
BerthQuota *berth_quota_new(guint64 limit);
void berth_quota_free(BerthQuota *quota); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthQuota, berth_quota_free)

/* Keep the count in the file @path, which is made with its directory if it is missing. It is read
 * by berth_quota_resume only: a former server may still write it. Errors: "share.quota". */
bool berth_quota_keep(BerthQuota *quota, const char *path, GError **error);

/* Go on with the count in the file; nothing without one. A file with anything else begins at the
 * limit, so that damage never gives room: false then. */
bool berth_quota_resume(BerthQuota *quota);

/* Set the count, without orphans, to @bytes. */
void berth_quota_set(BerthQuota *quota, guint64 bytes);

/* The file's descriptor, or -1: borrowed. */
int berth_quota_fd(const BerthQuota *quota);

/* The turn of a request; not recursive. */
void berth_quota_lock(BerthQuota *quota);
void berth_quota_unlock(BerthQuota *quota);

guint64 berth_quota_limit(const BerthQuota *quota);
guint64 berth_quota_used(BerthQuota *quota);
guint64 berth_quota_left(BerthQuota *quota);

/* File @key has @bytes more blocks, or fewer if negative. */
void berth_quota_change(BerthQuota *quota, const BerthNodeKey *key, gint64 bytes);

/* The last name of @key, which has @bytes, was removed; @is_open: the guest has it open. */
void berth_quota_unlinked(BerthQuota *quota, const BerthNodeKey *key, guint64 bytes, bool is_open);

/* The guest has closed @key, of which any is accepted, for good. */
void berth_quota_closed(BerthQuota *quota, const BerthNodeKey *key);

/* The part of @length bytes at @offset that can be backed, from its begin on, if @left bytes may be
 * added in blocks of @unit, and [@holes[i], @holes[i + 1]) are the parts without blocks: ascending,
 * @n_holes numbers. */
guint64 berth_quota_prefix(guint64 left, guint64 unit, guint64 offset, guint64 length,
                           const guint64 *holes, gsize n_holes);

G_END_DECLS
