/* SPDX-License-Identifier: MIT
 *
 * dns — the name server of the guest: passes its questions on to those of the host, as they are.
 *
 * All record types, sizes and extensions get through, since messages are not taken apart beyond
 * their question. The host's servers are asked in turn, beginning with the one that answered last:
 * the next when one has not answered in time, cannot be reached, or says that it failed. An answer
 * must come from the server that was asked, to the very socket it was asked from (whose port the
 * kernel chose), with the same id (of chance, not the guest's) and question; anything else is
 * counted and ignored. What internal_names.h knows is answered at once. Without servers every
 * question gets SERVFAIL at once.
 *
 * At most BERTH_DNS_PENDING_MAX sockets are open; the oldest question gives way.
 *
 * Runs in berth-net's one loop: wait for berth_dns_fd to be readable, then call berth_dns_run.
 * Nothing blocks.
 */
#pragma once

#include "datagram.h"
#include "internal_names.h"
#include "resolv.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_DNS_PENDING_MAX 256u
#define BERTH_DNS_WAIT_MSEC   2000u /* for a server before the next is asked, too */
#define BERTH_DNS_WAITS       5u    /* so many of them, and it is over */

typedef struct {
    guint64 queries;   /* of the guest, well-formed */
    guint64 local;     /* answered by internal_names.h */
    guint64 answered;  /* by a server */
    guint64 failed;    /* no server has answered, or all of them say they failed */
    guint64 no_server; /* there was none to ask */
    guint64 ignored;   /* messages from outside that answer nothing */
    guint64 overtaken; /* questions dropped since there were too many */
    guint64 malformed; /* messages of the guest's that are no question */
} BerthDnsCounters;

typedef struct BerthDns BerthDns;
typedef void (*BerthDnsAnswer)(const BerthDatagramEnds *ends, const guint8 *message, gsize size,
                               gpointer user_data);

/* @answer is called for each answer, which may be as large as a datagram, also from within
 * berth_dns_ask. NULL, with errno, when there is no epoll or no timer. */
BerthDns *berth_dns_new(guint wait_msec, BerthDnsAnswer answer, gpointer user_data);
void berth_dns_free(BerthDns *dns);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDns, berth_dns_free)

/* Borrowed; readable when there is something to do. */
int berth_dns_fd(const BerthDns *dns);
void berth_dns_run(BerthDns *dns);

/* The highest descriptor that is open while there are no questions. */
int berth_dns_last_fd(const BerthDns *dns);

/* From now on these are asked, also what has no answer yet. */
void berth_dns_set_servers(BerthDns *dns, const BerthResolvers *servers);

/* The one that is in use, and can be for TCP, which libslirp cannot make to a link-local address:
 * the one that answered last, else the next after it; NULL for none. */
const BerthResolver *berth_dns_server_by_tcp(const BerthDns *dns);

/* What is answered at once; to be changed by the caller. */
BerthNames *berth_dns_names(BerthDns *dns);

/* A message of the guest's. */
void berth_dns_ask(BerthDns *dns, const BerthDatagramEnds *ends, const guint8 *message, gsize size);

const BerthDnsCounters *berth_dns_counters(const BerthDns *dns);
guint berth_dns_pending(const BerthDns *dns);

G_END_DECLS
