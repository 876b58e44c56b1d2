/* SPDX-License-Identifier: MIT
 *
 * outbox — the send queue of frames for the guest.
 *
 * Frames the socket does not accept wait in a bounded queue: libslirp needs half a second to
 * recover a lost one, and a stopped guest must not make this process grow. Bare acknowledgements
 * may be held back for one turn of the loop (acks.h).
 *
 * Sizes are bytes. Frames keep their order, except acknowledgements of other connections.
 */
#pragma once

#include "acks.h"

G_BEGIN_DECLS

#define BERTH_OUTBOX_MAX (8u * 1024 * 1024) /* memory for queued frames */

typedef struct {
    guint64 frames, bytes; /* sent */
    guint64 waited;        /* frames that were queued */
    guint64 dropped;       /* queue full, or QEMU gone */
} BerthOutboxCounters;

typedef struct {
    int fd;         /* borrowed: a datagram socket to the guest's network device */
    GQueue waiting; /* GBytes*, oldest first */
    gsize waiting_size;
    BerthAcks acks;
    BerthOutboxCounters counters;
} BerthOutbox;

void berth_outbox_init(BerthOutbox *outbox, int fd);
void berth_outbox_clear(BerthOutbox *outbox);

void berth_outbox_send(BerthOutbox *outbox, const void *frame, gsize size);

/* Send a frame of libslirp. It may supersede a held acknowledgement; with @may_wait it may be held
 * back itself. */
void berth_outbox_pass(BerthOutbox *outbox, const guint8 *frame, gsize size, bool may_wait);

/* Send the acknowledgements held back. */
void berth_outbox_send_acks(BerthOutbox *outbox);

/* Send queued frames until the socket is full. */
void berth_outbox_send_waiting(BerthOutbox *outbox);

bool berth_outbox_is_waiting(const BerthOutbox *outbox);

G_END_DECLS
