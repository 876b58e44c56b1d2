/* SPDX-License-Identifier: MIT
 *
 * filter — decides which Ethernet frames of the guest reach libslirp.
 *
 * Root in the guest can send any frame, and libslirp trusts too many: a destination in 127/8, or an
 * IPv4 address inside an IPv6 one, reaches the host's loopback even when that is switched off, and
 * an urgent pointer reads beyond a buffer (CVE-2026-9539). So frames that no honest guest sends are
 * dropped here, and the lengths of the others are consistent.
 *
 * The filter also enforces the distro's access policy (model/access.h), since libslirp allows
 * everything. The policy applies to packets that start something: the first segment of a TCP
 * connection, datagrams and pings. libslirp opens nothing for other segments.
 *
 * Pure: no state, no allocation, never reads outside the frame.
 */
#pragma once

#include "model/access.h"
#include "packet.h"

G_BEGIN_DECLS

/* Parameters of the filter. */
typedef struct {
    guint8 prefix6[16];        /* the /64 of guest and gateway (address.h) */
    const BerthAccess *access; /* borrowed */
} BerthFilter;

typedef enum {
    BERTH_FILTER_PASS,
    BERTH_FILTER_MALFORMED,   /* inconsistent lengths or invalid header */
    BERTH_FILTER_TYPE,        /* not ARP, IPv4 or IPv6 */
    BERTH_FILTER_SOURCE,      /* source is not an address of the guest */
    BERTH_FILTER_SPOOF,       /* source is an address of the host's end (MAC, IPv4 or IPv6) */
    BERTH_FILTER_DESTINATION, /* the host itself, or an unassigned address of this network */
    BERTH_FILTER_PROTOCOL,    /* not ICMP, TCP or UDP, or an ICMPv6 type not for guests */
    BERTH_FILTER_FRAGMENT,    /* of TCP, since it hides flags; or beyond the largest packet */
    BERTH_FILTER_URGENT,      /* TCP with URG */
    BERTH_FILTER_SERVICE,     /* libslirp's DHCP and TFTP servers */
    /* Only the policy returns the last three. */
    BERTH_FILTER_EARLY,  /* no access policy set yet */
    BERTH_FILTER_PORT,   /* a closed port of the host or of its name server */
    BERTH_FILTER_CLOSED, /* an address closed to the distro */
    BERTH_FILTER_VERDICTS,
} BerthFilterVerdict;

/* Classify the @size bytes of @frame. */
BerthFilterVerdict berth_filter_frame(const BerthFilter *filter, const guint8 *frame, gsize size);

/* PASS, EARLY, PORT or CLOSED for a new flow to @port of @address. */
BerthFilterVerdict berth_filter_policy(const BerthFilter *filter, guint8 family,
                                       const guint8 *address, guint16 port);

/* Whether @address is the gateway, which leads to the host's loopback. */
bool berth_filter_is_gateway(const BerthFilter *filter, guint8 family, const guint8 *address);

G_END_DECLS
