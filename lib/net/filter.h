/* SPDX-License-Identifier: MIT
 *
 * filter — which Ethernet frames of a guest libslirp gets to see.
 *
 * Root in the guest makes any frame it likes. libslirp believes too many of them: a destination in
 * 127/8 or an IPv4 address in an IPv6 one reaches services of the host's loopback even when that is
 * switched off, and an urgent pointer reads beyond a buffer (CVE-2026-9539). So everything that no
 * honest guest sends is dropped here, and what is left has lengths that agree with each other.
 *
 * Pure: no state, no allocation, never reads outside the frame.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the filter goes by; borrowed. */
typedef struct {
    guint8 prefix6[16]; /* the /64 the guest shares with its gateway (address.h) */
} BerthFilter;

typedef enum {
    BERTH_FILTER_PASS,
    BERTH_FILTER_MALFORMED,   /* lengths that do not fit, or a header that is none */
    BERTH_FILTER_TYPE,        /* neither ARP, IPv4 nor IPv6 */
    BERTH_FILTER_SOURCE,      /* from an address the guest does not have */
    BERTH_FILTER_SPOOF,       /* from an address of the host's end, Ethernet, IPv4 or IPv6 */
    BERTH_FILTER_DESTINATION, /* to the host itself, or an address nobody has on this network */
    BERTH_FILTER_PROTOCOL,    /* neither ICMP, TCP nor UDP, or an ICMPv6 that is not for guests */
    BERTH_FILTER_FRAGMENT,    /* of TCP, which hides its flags; or beyond the largest packet */
    BERTH_FILTER_URGENT,      /* TCP with URG */
    BERTH_FILTER_SERVICE,     /* DHCP and TFTP servers of libslirp */
    BERTH_FILTER_VERDICTS,
} BerthFilterVerdict;

/* What becomes of the @size bytes of @frame. */
BerthFilterVerdict berth_filter_frame(const BerthFilter *filter, const guint8 *frame, gsize size);

/* "pass", "malformed", ... for counters. Static. */
const char *berth_filter_verdict_word(BerthFilterVerdict verdict);

G_END_DECLS
