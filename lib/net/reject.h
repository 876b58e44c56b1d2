/* SPDX-License-Identifier: MIT
 *
 * reject — builds the reply to a refused packet, so that programs in the guest fail at once instead
 * of timing out.
 *
 * A TCP reset for a SYN, ICMP unreachable for UDP and echo requests, nothing for other packets, so
 * replies are never answered. Pure: no state, no allocation, never reads outside the frame.
 * Sources: RFC 9293, 3.10.7.1; RFC 792; RFC 4443, 3.1.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The largest reply, bytes: Ethernet, IPv6, ICMPv6 and the quote. */
#define BERTH_REJECT_MAX (14u + 40u + 8u + 40u + 8u)

typedef enum {
    BERTH_REJECT_PORT,   /* nothing listens there */
    BERTH_REJECT_POLICY, /* refused by policy */
} BerthRejectReason;

/* Build the reply to @frame, which has passed the filter's length checks; returns its size, 0 for
 * none. */
gsize berth_reject_frame(const guint8 *frame, gsize size, BerthRejectReason reason,
                         guint8 ret_answer[BERTH_REJECT_MAX]);

G_END_DECLS
