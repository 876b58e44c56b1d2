/* SPDX-License-Identifier: MIT
 *
 * reject — what the guest is answered when its packet is refused, so that nothing in it waits.
 *
 * A reset for the start of a TCP connection, "unreachable" for UDP and for an echo request, nothing
 * for the rest: no answer is answered. Pure: no state, no allocation, never reads outside the
 * frame. Sources: RFC 9293, 3.10.7.1; RFC 792; RFC 4443, 3.1.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The largest answer, bytes: Ethernet, IPv6, ICMPv6 and what it quotes. */
#define BERTH_REJECT_MAX (14u + 40u + 8u + 40u + 8u)

typedef enum {
    BERTH_REJECT_PORT,   /* nobody listens there */
    BERTH_REJECT_POLICY, /* it is not allowed */
} BerthRejectReason;

/* The size of the answer to @frame, which the filter found whole; 0: there is none. */
gsize berth_reject_frame(const guint8 *frame, gsize size, BerthRejectReason reason,
                         guint8 ret_answer[BERTH_REJECT_MAX]);

G_END_DECLS
