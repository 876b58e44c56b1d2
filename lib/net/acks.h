/* SPDX-License-Identifier: MIT
 *
 * acks — coalesces plain TCP acknowledgements to the guest within one turn of the loop.
 *
 * libslirp acknowledges each segment. Each ACK costs an interrupt and a pass through the guest's
 * stack, about as much as a 16 KiB segment on an emulated processor, and ACKs are cumulative (RFC
 * 9293, 3.10.7.4). So of the ACKs for the frames of one turn only the last of each connection is
 * sent, and not even that one when a data segment of the next turn carries it. Segments that are
 * not bare ACKs, and duplicate ACKs, which the sender counts (RFC 5681), are never held back.
 *
 * A plain value, zero-initialised. Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_ACKS_MAX      8u             /* connections at a time */
#define BERTH_ACKS_SIZE_MAX (14 + 40 + 20) /* of a frame: Ethernet, IPv6, TCP without options */

typedef struct {
    gsize size;
    guint8 frame[BERTH_ACKS_SIZE_MAX];
} BerthAck;

typedef struct {
    BerthAck kept[BERTH_ACKS_MAX];
    guint count;
} BerthAcks;

/* Hold the frame back if it is a bare ACK, replacing an older one of its connection. False when it
 * is not held. */
bool berth_acks_keep(BerthAcks *acks, const guint8 *frame, gsize size);

/* Drop the held ACK that the frame, about to be sent, makes redundant. The caller sends the
 * remaining ones before the frame. */
void berth_acks_carry(BerthAcks *acks, const guint8 *frame, gsize size);

G_END_DECLS
