/* SPDX-License-Identifier: MIT
 *
 * nat — translates virtual addresses of the guest's network to addresses of the host, in frames.
 *
 *     198.19.255.N            the distro in slot N, whose forwards are on the host's 127.0.N.1
 *     10.0.2.3, TCP port 53   the current upstream name server (dns.h handles UDP)
 *
 * Rewrites destinations towards the host and sources towards the guest, with checksums updated (RFC
 * 1624). Neighbours need no state: nothing else comes from 127/8. The guest may also talk to a name
 * server by its real address, so flows to 10.0.2.3 are tracked by guest port, the last
 * BERTH_NAT_FLOWS of them; segments of other ports are left alone. Flows to an IPv6 server are
 * translated to IPv6 (nat46.h). Packets quoted in libslirp's ICMP errors are translated too.
 *
 * Frames have passed the filter or come from libslirp, but lengths are checked again; a frame that
 * does not parse is left alone. No allocation, no I/O. Addresses and ports in host byte order.
 */
#pragma once

#include "nat46.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_NAT_FLOWS 64u

typedef struct {
    guint32 address;     /* 0: it has an IPv6 address */
    guint8 address6[16]; /* network order */
    guint16 port;        /* 0: none */
} BerthNatServer;

/* All zero is a translator without a name server. */
typedef struct {
    BerthNatServer server; /* may change at any time */
    guint8 guest6[16];     /* the guest's address, network order */
    guint next;
    struct {
        guint16 guest_port; /* 0: unused */
        BerthNatServer server;
    } flows[BERTH_NAT_FLOWS];
} BerthNat;

/* Translate @frame from the guest in place; returns its size. The buffer has room for
 * BERTH_NAT_GROWTH more bytes. */
#define BERTH_NAT_GROWTH BERTH_NAT46_GROWTH
gsize berth_nat_from_guest(BerthNat *nat, guint8 *frame, gsize size);

/* Translate @frame from libslirp to the guest. Returns @frame if nothing changes; otherwise @copy,
 * which has room for as much, with @size updated. */
const guint8 *berth_nat_to_guest(const BerthNat *nat, const guint8 *frame, gsize *size,
                                 guint8 *copy);

G_END_DECLS
