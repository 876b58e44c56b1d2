/* SPDX-License-Identifier: MIT
 *
 * stack — the guest's way out: libslirp and the one loop that drives it. Runs in berth-net, alone.
 *
 *     QEMU <-- frames, one a datagram --> filter --> libslirp <-- sockets --> the host's network
 *
 * The guest is 10.0.2.15, its gateway 10.0.2.2 and its name server 10.0.2.3, and the same in IPv6
 * (address.h). There is no DHCP and no router is advertised: the agent configures eth0. libslirp
 * lets the guest reach the host's loopback and all else; the filter is what keeps it from that, by
 * the distro's policy (model/access.h). What is refused is answered (reject.h). Of DNS libslirp
 * sees nothing: nameserver.h takes it by UDP, and nat.h sends TCP to the host's server.
 *
 * Forwards open a listener on the host and hand each connection on to the guest (hostfwd.h).
 *
 * Frames the guest does not take at once wait in a bounded queue (outbox.h).
 *
 * One thread, and one stack a process (libslirp's clock is a global). Sizes are bytes, times usec,
 * ports and addresses in host byte order unless said otherwise.
 */
#pragma once

#include "dns.h"
#include "filter.h"
#include "hostfwd.h"
#include "outbox.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef struct BerthStack BerthStack;

#define BERTH_STACK_REFUSED_MAX 16

typedef struct {
    guint64 verdicts[BERTH_FILTER_VERDICTS]; /* frames from the guest, by what became of them */
    guint64 bytes_in;                        /* from the guest, of those that passed */
    BerthOutboxCounters out;                 /* to the guest */
    BerthDnsCounters dns;
} BerthStackCounters;

typedef struct {
    int frames_fd; /* borrowed: a datagram socket, the guest's network device at its other end */
    guint mtu;     /* in [BERTH_MTU_MIN, BERTH_MTU_MAX] */
    guint8 prefix6[16]; /* of the network's IPv6 addresses, a /64 */
    bool owner_only;    /* other users of this host may not connect to forwards; then */
    int diag_fd;        /* borrowed: a socket of owner.h */
    /* The guest tried a port of the host that it may not reach: once for each, of the first
     * BERTH_STACK_REFUSED_MAX. */
    void (*on_refused)(guint16 port, gpointer user_data);
    gpointer user_data;
} BerthStackSetup;

/* Errors: BERTH_ERROR_FAILED, "net.stack". */
BerthStack *berth_stack_new(const BerthStackSetup *setup, GError **error);
void berth_stack_free(BerthStack *stack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStack, berth_stack_free)

/* Where the guest may go from now on; connections it has stay. Before the first time it can begin
 * nothing. 0, or EINVAL. */
int berth_stack_set_access(BerthStack *stack, const BerthAccess *access);

/* Open a forward. 0 or an errno: EADDRINUSE, EACCES (a privileged port), EINVAL (no such rule),
 * EPERM (a rule for UDP, of an owner only). */
int berth_stack_add(BerthStack *stack, const BerthStackRule *rule);

/* Close the listener of @rule; connections made through it go on. 0, or ENOENT. */
int berth_stack_remove(BerthStack *stack, const BerthStackRule *rule);

/* Call @on_client once, when the next client connects to a forward or sends it a datagram. NULL: do
 * not. */
void berth_stack_watch(BerthStack *stack, void (*on_client)(gpointer user_data),
                       gpointer user_data);

/* Up to date whenever on_readable is called. */
BerthStackCounters berth_stack_counters(const BerthStack *stack);

/* The guest's name server: whom it asks, and what it knows. Borrowed. */
BerthDns *berth_stack_dns(BerthStack *stack);

/* Pass frames until @on_readable, which is called when @fd is readable or hung up, returns false.
 * 0, or the errno of a poll that failed. */
int berth_stack_run(BerthStack *stack, int fd,
                    bool (*on_readable)(BerthStack *stack, int fd, gpointer user_data),
                    gpointer user_data);

G_END_DECLS
