/* SPDX-License-Identifier: MIT
 *
 * replies — tracks UDP clients that sent datagrams to the guest, so that it may answer them.
 *
 * UDP has no connections, and a client of a forwarded port has the gateway's address or one closed
 * to the guest. The guest's datagrams back to exactly that address and port pass while libslirp
 * remembers the client.
 *
 * No allocation, fixed size; times are usec of a monotonic clock.
 */
#pragma once

#include "packet.h"

G_BEGIN_DECLS

#define BERTH_REPLIES_MAX       64
#define BERTH_REPLIES_LIFE_USEC (240 * G_USEC_PER_SEC)

typedef struct {
    guint8 family; /* 4 or 6; 0: unused */
    guint16 guest_port;
    guint16 port;
    guint8 address[16];
    gint64 seen_usec;
} BerthReply;

typedef struct {
    BerthReply senders[BERTH_REPLIES_MAX]; /* the least recently seen is replaced */
} BerthReplies;

/* Record the sender of @packet, a datagram to the guest. */
void berth_replies_record(BerthReplies *replies, const BerthPacket *packet, gint64 now_usec);

/* Whether @packet, from the guest, answers a recorded sender. */
bool berth_replies_expect(const BerthReplies *replies, const BerthPacket *packet, gint64 now_usec);

G_END_DECLS
