/* SPDX-License-Identifier: MIT
 *
 * nat — addresses of the guest's network that stand for others on the host, exchanged in frames.
 *
 *     198.19.255.N            the distro with number N, whose forwards are on the host's 127.0.N.1
 *     10.0.2.3, TCP port 53   the name server that is in use (UDP is dns.h's)
 *
 * On the way in the destination is replaced, on the way out the source, and the checksums follow
 * (RFC 1624). The neighbours need no memory: nothing else comes from 127/8. A name server may be
 * spoken to under its own address as well, so of connections to 10.0.2.3 the guest's port is
 * remembered, for the last BERTH_NAT_FLOWS of them; an answer from a server to another port is left
 * as it is. To a server with an IPv6 address the frames go as such, from the guest's own
 * (nat46.h). An ICMP error of libslirp's that quotes a packet to a neighbour is put right, too.
 *
 * Frames come from the filter or from libslirp, but lengths are not taken on trust: whatever does
 * not fit is left as it is. No allocation, no I/O. Addresses and ports in host byte order.
 */
#pragma once

#include "nat46.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_NAT_FLOWS 64u

typedef struct {
    guint32 address;     /* 0: it has IPv6 */
    guint8 address6[16]; /* network order */
    guint16 port;        /* 0: none */
} BerthNatServer;

/* All zero is a translator without a name server. */
typedef struct {
    BerthNatServer server; /* may change at any time */
    guint8 guest6[16];     /* the guest's address, network order */
    guint next;
    struct {
        guint16 guest_port; /* 0: not in use */
        BerthNatServer server;
    } flows[BERTH_NAT_FLOWS];
} BerthNat;

/* Change @frame, on its way from the guest to libslirp; returns its size. It has room for
 * BERTH_NAT_GROWTH more. */
#define BERTH_NAT_GROWTH BERTH_NAT46_GROWTH
gsize berth_nat_from_guest(BerthNat *nat, guint8 *frame, gsize size);

/* @frame, on its way from libslirp to the guest, or @copy, which has room for as much, when
 * something in it had to be changed, and then its size. */
const guint8 *berth_nat_to_guest(const BerthNat *nat, const guint8 *frame, gsize *size,
                                 guint8 *copy);

G_END_DECLS
