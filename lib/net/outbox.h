/* SPDX-License-Identifier: MIT
 *
 * outbox — frames on their way to the guest.
 *
 * Those it does not take at once wait in a bounded queue: libslirp recovers a lost one only after
 * half a second, and a guest that is stopped must not make this process grow. Acknowledgements may
 * be kept back for one turn of the loop (acks.h).
 *
 * Sizes are bytes. The order of frames is kept, but for acknowledgements of other connections.
 */
#pragma once

#include "acks.h"

G_BEGIN_DECLS

#define BERTH_OUTBOX_MAX (8u * 1024 * 1024) /* memory for frames the guest has not taken */

typedef struct {
    guint64 frames, bytes; /* sent */
    guint64 waited;        /* frames that had to wait for the guest */
    guint64 dropped;       /* frames that found the queue full or no guest */
} BerthOutboxCounters;

typedef struct {
    int fd;         /* borrowed: a datagram socket, the guest's network device at its other end */
    GQueue waiting; /* GBytes*, oldest first */
    gsize waiting_size;
    BerthAcks acks;
    BerthOutboxCounters counters;
} BerthOutbox;

void berth_outbox_init(BerthOutbox *outbox, int fd);
void berth_outbox_clear(BerthOutbox *outbox);

void berth_outbox_send(BerthOutbox *outbox, const void *frame, gsize size);

/* The same for a frame that libslirp made: it may carry an acknowledgement that is kept back, and
 * if
 * @may_wait it may be one that is kept back itself. */
void berth_outbox_pass(BerthOutbox *outbox, const guint8 *frame, gsize size, bool may_wait);

/* What was kept back. */
void berth_outbox_send_acks(BerthOutbox *outbox);

/* What the guest takes by now of what waits. */
void berth_outbox_send_waiting(BerthOutbox *outbox);

bool berth_outbox_is_waiting(const BerthOutbox *outbox);

G_END_DECLS
