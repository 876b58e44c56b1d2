/* SPDX-License-Identifier: MIT
 *
 * forward — plans an instance's port forwards from the guest's listeners and the user's rules.
 *
 *     listeners + policy (rules, slot) -> plan: forwards, each of up to three legs
 *
 * Pure: the plan lists the addresses of the host to open, their targets in the guest and, for each
 * port that stays closed, the reason. lib/net/port_policy carries it out.
 *
 * Forwards do not translate between families: an IPv4 address of the host leads to the guest's
 * 10.0.2.15, an IPv6 one to its prefix::15. Where the service does not listen there, the guest's
 * agent runs a proxy (`relay`) on its own addresses, 10.0.2.14 and prefix::14.
 */
#pragma once

#include "rule.h"

G_BEGIN_DECLS

/* A listening socket in the guest; a dual-stack one is listed twice. */
typedef struct {
    guint8 family; /* 4 or 6; 0: beyond the agent's limit of listeners */
    BerthProtocol protocol;
    guint16 port;
    guint8 address[16]; /* network order; IPv4 in the first four */
    char *owner;        /* the listening process, or "" */
    guint16 relay;      /* the proxy's port, on the agent's addresses of both families, where the
                         * service cannot be reached directly; or 0 */
    guint16 problem;    /* Linux errno: why there is no proxy; or 0 */
} BerthListener;

typedef enum {
    BERTH_FORWARD_WANTED,  /* to be opened */
    BERTH_FORWARD_OPEN,    /* reachable on the host */
    BERTH_FORWARD_BLOCKED, /* could not be opened; reason says why */
    BERTH_FORWARD_IGNORED, /* not to be opened; reason says why */
} BerthForwardState;

/* The source of a forward. */
typedef enum {
    BERTH_ORIGIN_LISTENER, /* something listens */
    BERTH_ORIGIN_RULE,     /* berth forward add */
    BERTH_ORIGIN_PUBLISH,  /* the setting */
} BerthOrigin;

/* A forward's places on the host. One of an address has the first or second. */
typedef enum {
    BERTH_LEG_V4,  /* 127.0.0.1 */
    BERTH_LEG_V6,  /* ::1 */
    BERTH_LEG_OWN, /* 127.0.N.1, of this distro alone */
    BERTH_LEGS,
} BerthLegKind;

/* A port of the host and its target in the guest. */
typedef struct {
    BerthForwardState state; /* IGNORED: no such leg */
    BerthProtocol protocol;
    guint8 family; /* of both sides: 4 or 6; 0: no such leg */
    guint8 host[16];
    guint8 guest[16];
    guint16 host_port;
    guint16 guest_port; /* of the service or its proxy */
} BerthLeg;

typedef struct {
    BerthRule rule;    /* as requested */
    guint16 host_port; /* actual port; differs from the rule for privileged ports only */
    BerthOrigin origin;
    BerthForwardState state;
    char *owner;  /* as BerthListener */
    char *reason; /* why BLOCKED or IGNORED; otherwise a deviation from the rule, or NULL */
    BerthLeg legs[BERTH_LEGS];
} BerthForward;

/* Settings that decide about forwards, besides the listeners. Arrays are owned. */
typedef struct {
    bool automatic;    /* forward listeners automatically */
    guint slot;        /* of the distro, or 0 */
    guint8 prefix[16]; /* IPv6, of the guest's network */
    GArray *ignore;    /* guint16: TCP ports not forwarded automatically */
    GArray *udp;       /* guint16: UDP ports forwarded automatically */
    GArray *rules;     /* BerthRule */
    GArray *publish;   /* BerthRule */
} BerthForwardPolicy;

void berth_listener_free(BerthListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthListener, berth_listener_free)
void berth_forward_free(BerthForward *forward);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForward, berth_forward_free)
BerthForward *berth_forward_copy(const BerthForward *forward);

/* An empty policy, zero but for empty arrays. Free with berth_forward_policy_free. */
BerthForwardPolicy *berth_forward_policy_new(void);
void berth_forward_policy_free(BerthForwardPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForwardPolicy, berth_forward_policy_free)

/* "open", "blocked", ... and "listener", "rule", "publish" as users and --json see them. */
const char *berth_forward_state_word(BerthForwardState state);
const char *berth_origin_word(BerthOrigin origin);

/* Set the host port of the forward and all its legs. */
void berth_forward_set_host_port(BerthForward *forward, guint16 port);

/* By port in the guest, protocol, then place on the host. For g_ptr_array_sort. */
gint berth_forward_compare(gconstpointer left, gconstpointer right);

/* Plan the forwards for @listeners (BerthListener*) and @policy: one for each (protocol, port) and
 * each rule, sorted; WANTED with at least one leg, or IGNORED with a reason. Elements:
 * BerthForward*. Free with g_ptr_array_unref. */
GPtrArray *berth_forward_plan(const GPtrArray *listeners, const BerthForwardPolicy *policy);

G_END_DECLS
