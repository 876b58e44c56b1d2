/* SPDX-License-Identifier: MIT
 *
 * nameserver — the guest's name server as it sees it: UDP frames to port 53 of 10.0.2.3, and of
 * prefix::3 where there is IPv6, and the frames of the answers. dns.h does the work.
 *
 * Nothing else is there. libslirp would take the rest of what is sent to such an address for the
 * host's loopback, so it does not get to see it; all but echo requests, which it answers itself.
 *
 * An answer that does not fit the guest's interface is cut, upon which the guest asks by TCP; that
 * goes to the host's name server itself, by nat.h.
 */
#pragma once

#include "dns.h"
#include "nat.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthNameserver BerthNameserver;

/* @send is given the frames for the guest, also from within berth_nameserver_handle. NULL, with
 * errno, as berth_dns_new. */
BerthNameserver *
berth_nameserver_new(guint mtu, void (*send)(const guint8 *frame, gsize size, gpointer user_data),
                     gpointer user_data);
void berth_nameserver_free(BerthNameserver *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNameserver, berth_nameserver_free)

typedef enum {
    BERTH_NAMESERVER_OTHER,       /* somebody else's */
    BERTH_NAMESERVER_HANDLED,     /* a question, dealt with */
    BERTH_NAMESERVER_UNREACHABLE, /* for our address, where nobody else is; TCP among it when there
                                is no server that it could have been translated to */
} BerthNameserverVerdict;

/* What becomes of the guest's @frame. After nat.h has looked at it. */
BerthNameserverVerdict berth_nameserver_handle(BerthNameserver *server, const guint8 *frame,
                                               gsize size);

/* Where TCP to it is to go. */
BerthNatServer berth_nameserver_by_tcp(const BerthNameserver *server);

/* Borrowed: its descriptor, servers, names and counters. */
BerthDns *berth_nameserver_dns(BerthNameserver *server);

G_END_DECLS
