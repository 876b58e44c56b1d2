/* SPDX-License-Identifier: MIT
 *
 * replies — who sent the guest a datagram that it could not have asked for, and may be answered.
 *
 * UDP does not tell a question from an answer. A client of a forwarded UDP port comes from the
 * gateway's address, or from one the guest may not go to; what the guest sends back to just that
 * port is let through, for as long as libslirp remembers the client.
 *
 * No allocation, a fixed size; times are usec of one monotonic clock.
 */
#pragma once

#include "packet.h"

G_BEGIN_DECLS

#define BERTH_REPLIES_MAX       64
#define BERTH_REPLIES_LIFE_USEC (240 * G_USEC_PER_SEC)

typedef struct {
    guint8 family; /* 4 or 6; 0: nobody */
    guint16 guest_port;
    guint16 port;
    guint8 address[16];
    gint64 seen_usec;
} BerthReply;

typedef struct {
    BerthReply senders[BERTH_REPLIES_MAX]; /* the one not seen for longest makes room */
} BerthReplies;

/* @packet, of UDP, goes to the guest. */
void berth_replies_record(BerthReplies *replies, const BerthPacket *packet, gint64 now_usec);

/* Whether @packet, from the guest, answers such a one. */
bool berth_replies_expect(const BerthReplies *replies, const BerthPacket *packet, gint64 now_usec);

G_END_DECLS
