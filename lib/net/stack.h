/* SPDX-License-Identifier: MIT
 *
 * stack — the guest's user-mode network: libslirp and the event loop that drives it, in berth-net.
 *
 *     QEMU <-- frames, one a datagram --> filter --> libslirp <-- sockets --> the host's network
 *
 * The guest is 10.0.2.15, its gateway 10.0.2.2 and its name server 10.0.2.3, and the same in IPv6
 * (address.h). No DHCP, no router advertisements: the agent configures eth0. libslirp would let the
 * guest reach the host's loopback and everything else; the filter enforces the distro's access
 * policy (model/access.h), and reject.h answers refused packets. libslirp sees no DNS: nameserver.h
 * handles UDP, and nat.h redirects TCP to the host's server.
 *
 * A forward opens a listener on the host and passes each connection to the guest (hostfwd.h).
 *
 * Frames the guest does not accept at once wait in a bounded queue (outbox.h).
 *
 * One thread, and one stack a process (libslirp's clock is global). Sizes are bytes, times usec,
 * ports and addresses in host byte order unless noted.
 */
#pragma once

#include "activity.h"
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
    guint64 verdicts[BERTH_FILTER_VERDICTS]; /* frames from the guest, by verdict */
    guint64 bytes_in;                        /* of frames from the guest that passed */
    BerthOutboxCounters out;                 /* to the guest */
    guint64 active;                          /* frames both ways that count (activity.h) */
    BerthDnsCounters dns;
} BerthStackCounters;

typedef struct {
    int frames_fd;      /* borrowed: a datagram socket to the guest's network device */
    guint mtu;          /* in [BERTH_MTU_MIN, BERTH_MTU_MAX] */
    guint8 prefix6[16]; /* of the network's IPv6 addresses, a /64 */
    bool owner_only;    /* other users of this host may not connect to forwards; requires */
    int diag_fd;        /* borrowed: a socket of owner.h */
    /* The guest tried a port of the host that is closed to it. Called once for each of the first
     * BERTH_STACK_REFUSED_MAX ports. */
    void (*on_refused)(guint16 port, gpointer user_data);
    gpointer user_data;
} BerthStackSetup;

/* Errors: BERTH_ERROR_FAILED, "net.stack". */
BerthStack *berth_stack_new(const BerthStackSetup *setup, GError **error);
void berth_stack_free(BerthStack *stack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStack, berth_stack_free)

/* Set the access policy for new connections; existing ones stay. Before the first call the guest
 * can open none. 0, or EINVAL. */
int berth_stack_set_access(BerthStack *stack, const BerthAccess *access);

/* Open a forward. 0 or an errno: EADDRINUSE, EACCES (a privileged port), EINVAL (invalid rule),
 * EPERM (UDP with owner_only). */
int berth_stack_add(BerthStack *stack, const BerthStackRule *rule);

/* Close the listener of @rule; its connections stay. 0, or ENOENT. */
int berth_stack_remove(BerthStack *stack, const BerthStackRule *rule);

/* Call @on_wake once, when libslirp sends the next frame that wakes a suspended guest (wake.h).
 * Returns berth_activity_wait: how long the caller should wait, and watch again, before it suspends
 * the guest. */
gint64 berth_stack_watch(BerthStack *stack, void (*on_wake)(gpointer user_data),
                         gpointer user_data);

/* Current whenever on_readable is called. */
BerthStackCounters berth_stack_counters(const BerthStack *stack);

/* The guest's name server. Borrowed. */
BerthDns *berth_stack_dns(BerthStack *stack);

/* Run the event loop until @on_readable, called when @fd is readable or hung up, returns false. 0,
 * or the errno of a failed poll. */
int berth_stack_run(BerthStack *stack, int fd,
                    bool (*on_readable)(BerthStack *stack, int fd, gpointer user_data),
                    gpointer user_data);

G_END_DECLS
