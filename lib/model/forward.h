/* SPDX-License-Identifier: MIT
 *
 * forward — what listens in the guest and what was asked for, and what becomes of it on the host.
 *
 *     listeners + policy (rules, numbers) -> plan: forwards, each of up to three legs
 *
 * Pure: the plan says which addresses of the host to open, where in the guest each leads and, for
 * each port that stays closed, why. lib/net/port_policy carries a plan out.
 *
 * The host's network and the guest's are not translated into each other, so that each leg stays in
 * its family: an IPv4 address of the host leads to the guest's 10.0.2.15, an IPv6 one to its
 * prefix::15. Where the service cannot be reached there, the guest's agent listens in its place
 * (`relay`), at addresses of its own, 10.0.2.14 and prefix::14, and carries each connection on.
 */
#pragma once

#include "rule.h"

G_BEGIN_DECLS

/* A listening socket in the guest; one that takes both families is two. */
typedef struct {
    guint8 family; /* 4 or 6; 0: the guest has more than it follows, and this is one too many */
    BerthProtocol protocol;
    guint16 port;
    guint8 address[16]; /* network order; IPv4 in the first four */
    char *owner;        /* the process that listens, or "" */
    guint16 relay;      /* port of the agent's addresses of both families that leads to it, where it
                           cannot be reached directly; or 0 */
    guint16 problem;    /* Linux's errno: why there is no such port; or 0 */
} BerthListener;

typedef enum {
    BERTH_FORWARD_WANTED,  /* to be opened */
    BERTH_FORWARD_OPEN,    /* reachable on the host */
    BERTH_FORWARD_BLOCKED, /* could not be opened; reason says why */
    BERTH_FORWARD_IGNORED, /* not to be opened; reason says why */
} BerthForwardState;

/* Why there is a forward. */
typedef enum {
    BERTH_ORIGIN_LISTENER, /* something listens */
    BERTH_ORIGIN_RULE,     /* berth forward add */
    BERTH_ORIGIN_PUBLISH,  /* the setting */
} BerthOrigin;

/* The places a forward may have on the host. One of an address has the first or second. */
typedef enum {
    BERTH_LEG_V4,  /* 127.0.0.1 */
    BERTH_LEG_V6,  /* ::1 */
    BERTH_LEG_OWN, /* 127.0.N.1, of this distro alone */
    BERTH_LEGS,
} BerthLegKind;

/* A port of the host and where in the guest it leads. */
typedef struct {
    BerthForwardState state; /* IGNORED: there is no such leg */
    BerthProtocol protocol;
    guint8 family; /* of both sides: 4 or 6; 0: there is no such leg */
    guint8 host[16];
    guint8 guest[16];
    guint16 host_port;
    guint16 guest_port; /* the service's or its relay's */
} BerthLeg;

typedef struct {
    BerthRule rule;    /* what is wanted */
    guint16 host_port; /* where it is: as wanted, but for privileged ports */
    BerthOrigin origin;
    BerthForwardState state;
    char *owner;  /* as BerthListener */
    char *reason; /* why BLOCKED or IGNORED; else what is not as wanted, or NULL */
    BerthLeg legs[BERTH_LEGS];
} BerthForward;

/* What decides about forwards besides the listeners. Owned by the struct. */
typedef struct {
    bool automatic;    /* what listens is forwarded */
    guint slot;        /* of the distro, or 0 */
    guint8 prefix[16]; /* IPv6, of the guest's network */
    GArray *ignore;    /* guint16: TCP ports that are not forwarded by themselves */
    GArray *udp;       /* guint16: UDP ports that are */
    GArray *rules;     /* BerthRule */
    GArray *publish;   /* BerthRule */
} BerthForwardPolicy;

void berth_listener_free(BerthListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthListener, berth_listener_free)
void berth_forward_free(BerthForward *forward);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForward, berth_forward_free)
BerthForward *berth_forward_copy(const BerthForward *forward);

/* All zero is a policy of nothing; the arrays are there. Free with berth_forward_policy_free. */
BerthForwardPolicy *berth_forward_policy_new(void);
void berth_forward_policy_free(BerthForwardPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForwardPolicy, berth_forward_policy_free)

/* "open", "blocked", ... and "listener", "rule", "publish" as users and --json see them. */
const char *berth_forward_state_word(BerthForwardState state);
const char *berth_origin_word(BerthOrigin origin);

/* Give every leg the port of the host @port. */
void berth_forward_set_host_port(BerthForward *forward, guint16 port);

/* By port in the guest, then protocol, then where it is on the host. For g_ptr_array_sort. */
gint berth_forward_compare(gconstpointer left, gconstpointer right);

/* The forwards of @listeners (BerthListener*) and @policy, one for each (protocol, port) and each
 * rule, sorted; WANTED with one leg at least, or IGNORED with a reason. Elements: BerthForward*.
 * Free with g_ptr_array_unref. */
GPtrArray *berth_forward_plan(const GPtrArray *listeners, const BerthForwardPolicy *policy);

G_END_DECLS
