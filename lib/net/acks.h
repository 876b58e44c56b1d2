/* SPDX-License-Identifier: MIT
 *
 * acks — segments to the guest that acknowledge and do nothing else, kept back while more of what
 * they acknowledge is being taken.
 *
 * libslirp acknowledges each segment of the guest's. Each such answer is an interrupt and a walk
 * through the guest's stack, about as dear to an emulated processor as a segment of 16 KiB; and one
 * that says less than the next has nothing to say (RFC 9293, 3.10.7.4: acknowledgements are
 * cumulative). So of the answers to frames that are taken in one turn only a connection's last is
 * sent, and not even that if what follows in the next carries it along: the first bytes of a client
 * that was waiting for the handshake. What is not a plain acknowledgement, or acknowledges nothing
 * new (RFC 5681: the sender counts those), is not kept.
 *
 * A plain value, zeroed at first. Pure.
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

/* Whether the frame is kept, in the place of an older one of its connection or beside the others.
 */
bool berth_acks_keep(BerthAcks *acks, const guint8 *frame, gsize size);

/* Forget the one that the frame, which is about to be sent, makes superfluous. Those that remain
 * are to be sent before it. */
void berth_acks_carry(BerthAcks *acks, const guint8 *frame, gsize size);

G_END_DECLS
