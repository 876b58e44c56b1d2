/* SPDX-License-Identifier: MIT
 *
 * read_ahead — asks the guest for more of a file that the kernel reads from front to back: the
 * kernel itself reads 128 KiB ahead, which costs a round trip each.
 *
 * A block that was read ahead answers one request of the kernel's, within a second, and only one of
 * the same range.
 * Every change that this host makes anywhere drops all of it, so that a read never shows what was
 * there before a change that the reader knows of. A short read is never answered from here: it
 * would tell the kernel that the file ends.
 *
 * Not thread-safe: the carrier has a lock. Times are of g_get_monotonic_time, in microseconds.
 */
#pragma once

#include <glib.h>
#include <linux/fuse.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* A READ, as it is on the wire. */
typedef struct {
    struct fuse_in_header header;
    struct fuse_read_in in;
} BerthMountRead;

typedef struct BerthMountAhead BerthMountAhead;

BerthMountAhead *berth_mount_ahead_new(void);
void berth_mount_ahead_free(BerthMountAhead *ahead);

typedef enum {
    BERTH_AHEAD_UNKNOWN, /* ask the guest */
    BERTH_AHEAD_READY,   /* *ret_data is the answer; free with g_bytes_unref */
    BERTH_AHEAD_COMING,  /* the guest has been asked already */
} BerthAheadResult;

/* The kernel asks for @read. In the last case berth_mount_ahead_answered tells of its answer. */
BerthAheadResult berth_mount_ahead_read(BerthMountAhead *ahead, const BerthMountRead *read,
                                        gint64 now, GBytes **ret_data);

/* Append to @out, of BerthMountRead, what to ask the guest for after @read of the kernel's. */
void berth_mount_ahead_plan(BerthMountAhead *ahead, const BerthMountRead *read, gint64 now,
                            GArray *out);

/* The guest's answer to a read of the plan has come; it has @size bytes of @data, or none if it
 * failed. Returns true, and stores the kernel's read, if that waits for it: then @data answers it
 * if
 * *@ret_whole, or else the guest is to be asked. */
bool berth_mount_ahead_answered(BerthMountAhead *ahead, guint64 unique, const void *data,
                                gsize size, BerthMountRead *ret_read, bool *ret_whole);

/* This host changes, or has changed, a file: drop what was read. */
void berth_mount_ahead_drop(BerthMountAhead *ahead);

/* The kernel has closed @handle. */
void berth_mount_ahead_release(BerthMountAhead *ahead, guint64 handle);

/* The guest has gone: forget all. Reads that wait are the carrier's to answer. */
void berth_mount_ahead_clear(BerthMountAhead *ahead);

/* Whether the request @message, with its body, may change data. */
bool berth_mount_ahead_is_change(const struct fuse_in_header *message);

G_END_DECLS
