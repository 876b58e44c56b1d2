/* SPDX-License-Identifier: MIT
 *
 * nameserver — the frame side of the guest's name server: UDP to port 53 of 10.0.2.3, and of
 * prefix::3 where there is IPv6. dns.h does the forwarding.
 *
 * No other service exists at these addresses. libslirp would map other packets for them to the
 * host's loopback, so it receives none of them except echo requests, which it answers itself.
 *
 * Answers larger than the guest's MTU are truncated; the guest then retries by TCP, which nat.h
 * directs to the host's name server.
 */
#pragma once

#include "dns.h"
#include "nat.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthNameserver BerthNameserver;

/* @send receives frames for the guest, possibly from within berth_nameserver_handle. NULL with
 * errno, as berth_dns_new. */
BerthNameserver *
berth_nameserver_new(guint mtu, void (*send)(const guint8 *frame, gsize size, gpointer user_data),
                     gpointer user_data);
void berth_nameserver_free(BerthNameserver *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNameserver, berth_nameserver_free)

typedef enum {
    BERTH_NAMESERVER_OTHER,       /* not for the name server */
    BERTH_NAMESERVER_HANDLED,     /* a query, consumed */
    BERTH_NAMESERVER_UNREACHABLE, /* for our address, but no service there; includes TCP when no
                                   * server can take it */
} BerthNameserverVerdict;

/* Handle a frame from the guest. Call after nat.h has translated it. */
BerthNameserverVerdict berth_nameserver_handle(BerthNameserver *server, const guint8 *frame,
                                               gsize size);

/* The server that TCP connections are translated to. */
BerthNatServer berth_nameserver_by_tcp(const BerthNameserver *server);

/* Borrowed: the descriptor, servers, names and counters. */
BerthDns *berth_nameserver_dns(BerthNameserver *server);

G_END_DECLS
