/* SPDX-License-Identifier: MIT
 *
 * filter — which Ethernet frames of a guest libslirp gets to see.
 *
 * Root in the guest makes any frame it likes. libslirp believes too many of them: a destination in
 * 127/8 or an IPv4 address in an IPv6 one reaches services of the host's loopback even when that is
 * switched off, and an urgent pointer reads beyond a buffer (CVE-2026-9539). So everything that no
 * honest guest sends is dropped here, and what is left has lengths that agree with each other.
 *
 * It is also the wall that keeps a distro where it may go (model/access.h): libslirp itself lets
 * everything through. Only what begins something is measured by that, the first segment of a TCP
 * connection, datagrams and pings; libslirp begins nothing for another segment.
 *
 * Pure: no state, no allocation, never reads outside the frame.
 */
#pragma once

#include "model/access.h"
#include "packet.h"

G_BEGIN_DECLS

/* What the filter goes by. */
typedef struct {
    guint8 prefix6[16];        /* the /64 the guest shares with its gateway (address.h) */
    const BerthAccess *access; /* borrowed */
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
    /* The last three are the policy's, and only they. */
    BERTH_FILTER_EARLY,  /* before it was said where the distro may go */
    BERTH_FILTER_PORT,   /* to a port of the host, or its name server, that is not open */
    BERTH_FILTER_CLOSED, /* to an address that is closed to the distro */
    BERTH_FILTER_VERDICTS,
} BerthFilterVerdict;

/* What becomes of the @size bytes of @frame. */
BerthFilterVerdict berth_filter_frame(const BerthFilter *filter, const guint8 *frame, gsize size);

/* PASS, EARLY, PORT or CLOSED: what becomes of something new that goes to @port of @address. */
BerthFilterVerdict berth_filter_policy(const BerthFilter *filter, guint8 family,
                                       const guint8 *address, guint16 port);

/* Whether @address is the gateway's, behind which is the host's loopback. */
bool berth_filter_is_gateway(const BerthFilter *filter, guint8 family, const guint8 *address);

G_END_DECLS
