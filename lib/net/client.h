/* SPDX-License-Identifier: MIT
 *
 * client — the protocol between a keeper and its berth-net, and the keeper's end: starts the
 * process, sends requests, notices its exit. serve.h is berth-net's end.
 *
 * The control socket is a SOCK_SEQPACKET pair between two programs of one build, so messages are
 * plain structs of fixed size: one request a packet, answered by one BerthNetReply, in order. Every
 * request begins with the members of BerthNetRequest and is one unless its op says otherwise. A
 * reply with id 0 is a notice. berth-net exits on any malformed request and when the keeper closes
 * its end.
 *
 * Asynchronous on the thread-default GMainContext; only the start of the process blocks. Each done
 * callback runs exactly once, never before the function that took it returns. Its @errnum is 0, the
 * result of berth_stack_add or berth_stack_remove, ECONNRESET when the process ended first, or
 * ECANCELED when the BerthNet was freed first. Callbacks must not free the BerthNet, except exited.
 */
#pragma once

#include "model/forward.h"
#include "internal_names.h"
#include "resolv.h"
#include "stack.h"

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* berth-net inherits these descriptors besides 0 to 2. */
enum { BERTH_NET_FRAMES_FD = 3, BERTH_NET_CONTROL_FD = 4 };

typedef enum {
    BERTH_NET_ADD = 1,
    BERTH_NET_REMOVE = 2,
    BERTH_NET_COUNTERS = 3,  /* the request has no arguments */
    BERTH_NET_ACCESS = 4,    /* a BerthNetAccessRequest */
    BERTH_NET_NAME = 5,      /* sets one entry of the table in internal_names.h */
    BERTH_NET_WATCH = 6,     /* one notice follows at the next frame that wakes the guest */
    BERTH_NET_RESOLVERS = 7, /* sets the upstream name servers */
} BerthNetOp;

typedef struct {
    guint32 id; /* chosen by the keeper, returned in the reply */
    guint32 op; /* BerthNetOp */
    union {     /* by op */
        BerthStackRule rule;
        struct {
            guint32 slot;
            char name[BERTH_NAME_SIZE]; /* NUL-terminated; "" clears the entry */
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
    bool wakes;                  /* the notice requested by BERTH_NET_WATCH; otherwise */
    guint16 refused_port;        /* the guest was refused this port of the host */
    gint64 wait_usec;            /* for BERTH_NET_WATCH, else zero */
    BerthStackCounters counters; /* for BERTH_NET_COUNTERS, else zero */
} BerthNetReply;

/* Command-line arguments of berth-net. */
typedef struct {
    guint mtu;
    guint8 prefix6[16]; /* of the network's IPv6 addresses, a /64 */
    bool owner_only;    /* other users of this host may not connect to forwards */
} BerthNetSetup;

typedef struct BerthNet BerthNet;

typedef struct {
    /* The process ended without being asked; called once, after all pending done callbacks. */
    void (*exited)(BerthNet *net, gpointer user_data);
    /* The guest was refused this port of the host. Called once a port, for a bounded number of
     * ports. */
    void (*refused)(guint16 port, gpointer user_data);
} BerthNetEvents;

typedef void (*BerthNetDone)(int errnum, gpointer user_data);

/* Start @program, berth-net. @frames_fd is our end of the datagram pair with QEMU; borrowed, and
 * the caller keeps it open for a restarted berth-net. @events is borrowed and must outlive the
 * BerthNet. Errors: BERTH_ERROR_NOT_FOUND and others, "net.start.*". */
BerthNet *berth_net_new(const char *program, int frames_fd, const BerthNetSetup *setup,
                        const BerthNetEvents *events, gpointer user_data, GError **error);

/* Kill and reap the process. Accepts NULL. */
void berth_net_free(BerthNet *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNet, berth_net_free)

GPid berth_net_pid(const BerthNet *net);

/* Listen on the host's side of @leg and forward its connections to the guest's. */
void berth_net_add(BerthNet *net, const BerthLeg *leg, BerthNetDone done, gpointer user_data);

/* Stop listening. @done may be NULL. */
void berth_net_remove(BerthNet *net, const BerthLeg *leg, BerthNetDone done, gpointer user_data);

/* Set the access policy; @access is copied. Until the first call the guest can open no
 * connection. */
void berth_net_set_access(BerthNet *net, const BerthAccess *access);

/* Set the upstream name servers; none at first. */
void berth_net_set_resolvers(BerthNet *net, const BerthResolvers *resolvers);

/* Set the name of the distro in @slot, 1 to BERTH_SLOT_MAX; "" when it has stopped. Names that are
 * too long are ignored. */
void berth_net_set_name(BerthNet *net, guint slot, const char *name);

/* Call @on_wake once, at the next frame that wakes a suspended guest (wake.h), which then waits in
 * the frame socket. @begun is called first, once no frame can be missed; @wait_usec is as
 * berth_stack_watch returns it, and 0 unless @errnum is 0. A second call replaces
 * the first, of which no notice follows. Not called if the process ends first; repeat the request
 * on its successor. */
void berth_net_watch(BerthNet *net, void (*begun)(int errnum, gint64 wait_usec, gpointer user_data),
                     void (*on_wake)(gpointer user_data), gpointer user_data);

/* @counters is borrowed, NULL unless @errnum is 0. */
void berth_net_get_counters(BerthNet *net,
                            void (*done)(int errnum, const BerthStackCounters *counters,
                                         gpointer user_data),
                            gpointer user_data);

G_END_DECLS
