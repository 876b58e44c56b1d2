/* SPDX-License-Identifier: MIT
 *
 * client — what a keeper and its berth-net say to each other, and the keeper's end of it: starting
 * the process, asking it for forwards, noticing its end. serve.h is berth-net's end.
 *
 * The control socket is a SOCK_SEQPACKET pair between two programs of one build, so messages are
 * plain structs, each of a fixed size: a request a packet one way, a BerthNetReply the other, in
 * the order of the requests. Every request begins as BerthNetRequest does, and is that but where
 * its op says otherwise. A reply whose id is 0 answers nothing: it is a notice. Anything else ends
 * berth-net. So does closing the keeper's end.
 *
 * Asynchronous on the thread-default GMainContext; nothing blocks but the start of the process. A
 * done callback is called exactly once, never before the call it was given to has returned; its
 * @errnum is 0, what berth_stack_add or berth_stack_remove returned, ECONNRESET when the process
 * ended first, or ECANCELED when the BerthNet was freed first. Callbacks must not free the
 * BerthNet; exited may.
 */
#pragma once

#include "model/forward.h"
#include "internal_names.h"
#include "resolv.h"
#include "stack.h"

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* The descriptors berth-net is started with, beside 0 to 2. */
enum { BERTH_NET_FRAMES_FD = 3, BERTH_NET_CONTROL_FD = 4 };

typedef enum {
    BERTH_NET_ADD = 1,
    BERTH_NET_REMOVE = 2,
    BERTH_NET_COUNTERS = 3,  /* nothing of the request is looked at */
    BERTH_NET_ACCESS = 4,    /* a BerthNetAccessRequest */
    BERTH_NET_NAME = 5,      /* one entry of the table of internal_names.h */
    BERTH_NET_WATCH = 6,     /* for the next client of a forward: a notice follows, once */
    BERTH_NET_RESOLVERS = 7, /* the name servers to ask */
} BerthNetOp;

typedef struct {
    guint32 id; /* chosen by the keeper, comes back in the reply */
    guint32 op; /* BerthNetOp */
    union {     /* by op */
        BerthStackRule rule;
        struct {
            guint32 slot;
            char name[BERTH_NAME_SIZE]; /* with its end; "": none */
        } entry;
        BerthResolvers resolvers;
    };
} BerthNetRequest;

typedef struct {
    guint32 id;
    guint32 op;
    BerthAccess access;
} BerthNetAccessRequest;

typedef struct {
    guint32 id; /* 0: a notice */
    gint32 errnum;
    bool client_waits;           /* the notice that BERTH_NET_WATCH asked for; or */
    guint16 refused_port;        /* the guest was refused this port of the host */
    BerthStackCounters counters; /* for BERTH_NET_COUNTERS, else zero */
} BerthNetReply;

/* What a berth-net is told when it starts. */
typedef struct {
    guint mtu;
    guint8 prefix6[16]; /* of the network's IPv6 addresses, a /64 */
    bool owner_only;    /* other users of this host may not connect to forwards */
} BerthNetSetup;

typedef struct BerthNet BerthNet;

typedef struct {
    /* The process ended by itself; called once, after all pending done callbacks. */
    void (*exited)(BerthNet *net, gpointer user_data);
    /* The guest was refused this port of the host; once for each port, and not without end. */
    void (*refused)(guint16 port, gpointer user_data);
} BerthNetEvents;

typedef void (*BerthNetDone)(int errnum, gpointer user_data);

/* Start @program, berth-net. @frames_fd is our end of the datagram pair whose other end QEMU has;
 * borrowed, and to be kept open by the caller: a later berth-net goes on with it.
 * @events is borrowed and outlives the BerthNet.
 * Errors: BERTH_ERROR_NOT_FOUND and others, "net.start.*". */
BerthNet *berth_net_new(const char *program, int frames_fd, const BerthNetSetup *setup,
                        const BerthNetEvents *events, gpointer user_data, GError **error);

/* Ends the process and reaps it. NULL is fine. */
void berth_net_free(BerthNet *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNet, berth_net_free)

GPid berth_net_pid(const BerthNet *net);

/* Open the host's side of @leg and hand its connections on to the guest's. */
void berth_net_add(BerthNet *net, const BerthLeg *leg, BerthNetDone done, gpointer user_data);

/* Close it. @done may be NULL. */
void berth_net_remove(BerthNet *net, const BerthLeg *leg, BerthNetDone done, gpointer user_data);

/* Where the guest may go from now on. It is copied. Until it has been told once, berth-net lets the
 * guest begin nothing. */
void berth_net_set_access(BerthNet *net, const BerthAccess *access);

/* The name servers that the guest's questions go to from now on; there are none at first. */
void berth_net_set_resolvers(BerthNet *net, const BerthResolvers *resolvers);

/* @name is the distro with @slot, from 1 to BERTH_SLOT_MAX; "": it has stopped. Names too long
 * for one are ignored. */
void berth_net_set_name(BerthNet *net, guint slot, const char *name);

/* Call @on_client once, when the next client connects to a forward or sends it a datagram; the seam
 * for a guest that is suspended while its berth-net is not: the client has been accepted, the frame
 * that tells the guest waits in the socket of the frames, and the guest is to be woken. Asked for
 * anew, it is asked for once. Nobody is called if the process ends first; a new one must be asked
 * again. */
void berth_net_watch(BerthNet *net, void (*on_client)(gpointer user_data), gpointer user_data);

/* @counters is borrowed, NULL unless @errnum is 0. */
void berth_net_get_counters(BerthNet *net,
                            void (*done)(int errnum, const BerthStackCounters *counters,
                                         gpointer user_data),
                            gpointer user_data);

G_END_DECLS
