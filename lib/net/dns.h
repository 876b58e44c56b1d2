/* SPDX-License-Identifier: MIT
 *
 * dns — the guest's name server: a forwarder to the host's name servers.
 *
 * Messages are forwarded unparsed beyond the question, so all record types, sizes and extensions
 * work. Servers are tried in turn, the one that answered last first; the next is tried after a
 * timeout, a send error or an error response. A response counts only if it comes from the queried
 * server to the connected socket of the query (the kernel chose the port) with the same random id
 * and question; others are counted and ignored. Names of internal_names.h are answered locally.
 * Without servers every query gets SERVFAIL at once.
 *
 * At most BERTH_DNS_PENDING_MAX sockets are open; beyond that the oldest query is dropped.
 *
 * Runs in berth-net's event loop: when berth_dns_fd is readable, call berth_dns_run. Never blocks.
 */
#pragma once

#include "datagram.h"
#include "internal_names.h"
#include "resolv.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_DNS_PENDING_MAX 256u
#define BERTH_DNS_WAIT_MSEC   2000u /* until the next server is tried as well */
#define BERTH_DNS_WAITS       5u    /* a query fails after this many waits */

typedef struct {
    guint64 queries;   /* well-formed, from the guest */
    guint64 local;     /* answered by internal_names.h */
    guint64 answered;  /* by a server */
    guint64 failed;    /* no server answered, or all returned errors */
    guint64 no_server; /* no server configured */
    guint64 ignored;   /* unexpected messages from the network */
    guint64 overtaken; /* dropped for newer queries */
    guint64 malformed; /* messages from the guest that are no query */
} BerthDnsCounters;

typedef struct BerthDns BerthDns;
typedef void (*BerthDnsAnswer)(const BerthDatagramEnds *ends, const guint8 *message, gsize size,
                               gpointer user_data);

/* @answer is called for each answer, up to 64 KiB, possibly from within berth_dns_ask. NULL with
 * errno when epoll or timer cannot be created. */
BerthDns *berth_dns_new(guint wait_msec, BerthDnsAnswer answer, gpointer user_data);
void berth_dns_free(BerthDns *dns);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDns, berth_dns_free)

/* Borrowed. Poll for input, then call berth_dns_run. */
int berth_dns_fd(const BerthDns *dns);
void berth_dns_run(BerthDns *dns);

/* The highest descriptor open while no query is pending. */
int berth_dns_last_fd(const BerthDns *dns);

/* Replace the servers; pending queries are sent to the new ones. */
void berth_dns_set_servers(BerthDns *dns, const BerthResolvers *servers);

/* The server for TCP: the one that answered last, or the next after it that is not link-local
 * (libslirp cannot connect to those); NULL for none. */
const BerthResolver *berth_dns_server_by_tcp(const BerthDns *dns);

/* The local names; the caller may change them. */
BerthInternalNames *berth_dns_names(BerthDns *dns);

/* Handle a query from the guest. */
void berth_dns_ask(BerthDns *dns, const BerthDatagramEnds *ends, const guint8 *message, gsize size);

const BerthDnsCounters *berth_dns_counters(const BerthDns *dns);
guint berth_dns_pending(const BerthDns *dns);

G_END_DECLS
