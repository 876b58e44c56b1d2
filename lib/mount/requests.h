/* SPDX-License-Identifier: MIT
 *
 * requests — the requests of the host's kernel that have no answer yet.
 *
 * Not thread-safe: the carrier has a lock. Times are of g_get_monotonic_time, in microseconds.
 */
#pragma once

#include <glib.h>
#include <linux/fuse.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    struct fuse_in_header header;
    bool sent;       /* to the guest of now */
    bool abandoned;  /* the kernel has an answer; the guest's is to be undone */
    bool changes;    /* it may change data */
    gint64 deadline; /* when an interrupted one is abandoned; 0: it is not interrupted */
} BerthMountRequest;

typedef struct BerthMountRequests BerthMountRequests;

BerthMountRequests *berth_mount_requests_new(void);
void berth_mount_requests_free(BerthMountRequests *requests);

BerthMountRequest *berth_mount_requests_add(BerthMountRequests *requests,
                                            const struct fuse_in_header *header);
/* NULL: there is none. Borrowed until it is removed. */
BerthMountRequest *berth_mount_requests_find(BerthMountRequests *requests, guint64 unique);
void berth_mount_requests_remove(BerthMountRequests *requests, guint64 unique);

/* Call @each for all requests, and remove those for which it returns true. */
void berth_mount_requests_filter(BerthMountRequests *requests,
                                 bool (*each)(BerthMountRequest *request, gpointer data),
                                 gpointer data);

/* Whether the kernel expects an answer to requests of @opcode. */
bool berth_mount_requests_has_answer(guint32 opcode);

/* Whether the guest may be asked @opcode. */
bool berth_mount_requests_is_known(guint32 opcode);

/* Whether a request of @opcode is worth connecting for: the others are about what a guest of before
 * had open. */
bool berth_mount_requests_needs_guest(guint32 opcode);

/* Append to @out requests that undo what the successful answer @body of @size bytes to @header has
 * made the guest hold for a kernel that did not take it: lookups and open files. */
void berth_mount_requests_undo(const struct fuse_in_header *header, const guint8 *body, gsize size,
                               GByteArray *out);

G_END_DECLS
