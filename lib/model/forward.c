/* SPDX-License-Identifier: MIT */
#include "forward.h"

#include "base/table.h"

#include <string.h>

static const char *const state_words[] = {
    [BERTH_FORWARD_WANTED] = "wanted",
    [BERTH_FORWARD_OPEN] = "open",
    [BERTH_FORWARD_BLOCKED] = "blocked",
    [BERTH_FORWARD_IGNORED] = "ignored",
};

static const char *const origin_words[] = {
    [BERTH_ORIGIN_LISTENER] = "listener",
    [BERTH_ORIGIN_RULE] = "rule",
    [BERTH_ORIGIN_PUBLISH] = "publish",
};

const char *berth_forward_state_word(BerthForwardState state)
{
    return berth_table_to_string(state_words, state);
}

const char *berth_origin_word(BerthOrigin origin)
{
    return berth_table_to_string(origin_words, origin);
}

/* --- values --- */

void berth_listener_free(BerthListener *listener)
{
    if (listener == NULL)
        return;
    g_free(listener->owner);
    g_free(listener);
}

void berth_forward_free(BerthForward *forward)
{
    if (forward == NULL)
        return;
    g_free(forward->owner);
    g_free(forward->reason);
    g_free(forward);
}

BerthForward *berth_forward_copy(const BerthForward *forward)
{
    BerthForward *copy = g_memdup2(forward, sizeof(*forward));
    copy->owner = g_strdup(forward->owner);
    copy->reason = g_strdup(forward->reason);
    return copy;
}

BerthForwardPolicy *berth_forward_policy_new(void)
{
    BerthForwardPolicy *policy = g_new0(BerthForwardPolicy, 1);
    policy->ignore = g_array_new(FALSE, FALSE, sizeof(guint16));
    policy->udp = g_array_new(FALSE, FALSE, sizeof(guint16));
    policy->rules = g_array_new(FALSE, FALSE, sizeof(BerthRule));
    policy->publish = g_array_new(FALSE, FALSE, sizeof(BerthRule));
    return policy;
}

void berth_forward_policy_free(BerthForwardPolicy *policy)
{
    if (policy == NULL)
        return;
    g_array_unref(policy->ignore);
    g_array_unref(policy->udp);
    g_array_unref(policy->rules);
    g_array_unref(policy->publish);
    g_free(policy);
}

void berth_forward_set_host_port(BerthForward *forward, guint16 port)
{
    forward->host_port = port;
    for (guint i = 0; i < BERTH_LEGS; i++)
        forward->legs[i].host_port = port;
}

gint berth_forward_compare(gconstpointer left, gconstpointer right)
{
    const BerthRule *a = &(*(BerthForward *const *)left)->rule;
    const BerthRule *b = &(*(BerthForward *const *)right)->rule;
    const int differences[] = {a->guest_port - b->guest_port, (int)a->protocol - (int)b->protocol,
                               a->host_port - b->host_port, a->family - b->family};
    for (gsize i = 0; i < G_N_ELEMENTS(differences); i++)
        if (differences[i] != 0)
            return differences[i];
    return memcmp(a->address, b->address, sizeof(a->address));
}

/* --- how a service can be reached --- */

static const guint8 any[16];
static const guint8 ethernet_v4[16] = {10, 0, 2, 15};
static const guint8 proxies_v4[16] = {10, 0, 2, 14};
static const guint8 loopback_v4[16] = {127, 0, 0, 1};
static const guint8 loopback_v6[16] = {[15] = 1};
static const guint8 mapped_v6[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */

/* The combined listeners of one port. */
typedef struct {
    bool any;         /* something listens */
    bool direct[7];   /* by family: on the guest's address itself */
    bool loopback[7]; /* on its 127.0.0.1 or ::1 */
    bool too_many;
    guint16 relay;
    guint16 problem;
    const char *owner;
} Reach;

#define ETHERNET_V6 0x15 /* last bytes of the guest's addresses */
#define PROXIES_V6  0x14

static void guest_v6(const BerthForwardPolicy *policy, guint8 last, guint8 address[16])
{
    memcpy(address, policy->prefix, 16);
    address[15] = last;
}

static void reach_v4(const guint8 *address, Reach *reach)
{
    reach->direct[4] |= memcmp(address, any, 4) == 0 || memcmp(address, ethernet_v4, 4) == 0;
    reach->loopback[4] |= memcmp(address, loopback_v4, 4) == 0;
}

static void reach_v6(const guint8 *address, const BerthForwardPolicy *policy, Reach *reach)
{
    guint8 ours[16];
    guest_v6(policy, ETHERNET_V6, ours);
    reach->direct[6] |= memcmp(address, any, 16) == 0 || memcmp(address, ours, 16) == 0;
    reach->loopback[6] |= memcmp(address, loopback_v6, 16) == 0;
}

static void add_to_reach(const BerthListener *listener, const BerthForwardPolicy *policy,
                         Reach *reach)
{
    if (!reach->any || reach->owner[0] == '\0')
        reach->owner = listener->owner != NULL ? listener->owner : "";
    reach->any = true;
    if (reach->relay == 0)
        reach->relay = listener->relay;
    if (reach->problem == 0)
        reach->problem = listener->problem;
    if (listener->family == 0)
        reach->too_many = true;
    else if (listener->family == 4)
        reach_v4(listener->address, reach);
    else if (memcmp(listener->address, mapped_v6, sizeof(mapped_v6)) == 0)
        reach_v4(listener->address + sizeof(mapped_v6), reach);
    else
        reach_v6(listener->address, policy, reach);
}

static gpointer key_of(BerthProtocol protocol, guint16 port)
{
    return GUINT_TO_POINTER((guint)protocol << 16 | port);
}

/* (protocol, port) -> Reach*, owned. */
static GHashTable *reaches_of(const GPtrArray *listeners, const BerthForwardPolicy *policy)
{
    GHashTable *reaches = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    for (guint i = 0; i < listeners->len; i++) {
        const BerthListener *listener = g_ptr_array_index(listeners, i);
        gpointer key = key_of(listener->protocol, listener->port);
        Reach *reach = g_hash_table_lookup(reaches, key);
        if (reach == NULL)
            g_hash_table_insert(reaches, key, reach = g_new0(Reach, 1));
        add_to_reach(listener, policy, reach);
    }
    return reaches;
}

/* The port in the guest at which @family reaches the service: its own, or its proxy's. For explicit
 * rules (@asked) a port without a known listener is used as it is. 0: unreachable. */
static guint16 target(const Reach *reach, guint8 family, guint16 port, bool asked, bool *ret_proxy)
{
    bool direct = reach != NULL && reach->direct[family];
    *ret_proxy = !direct && reach != NULL && reach->relay != 0;
    if (*ret_proxy)
        return reach->relay;
    return direct || asked ? port : 0;
}

/* --- legs --- */

static void set_leg(BerthForward *forward, BerthLegKind kind, const guint8 host[16],
                    const Reach *reach, const BerthForwardPolicy *policy)
{
    const BerthRule *rule = &forward->rule;
    guint8 family = kind == BERTH_LEG_V6 ? 6 : 4;
    bool asked = forward->origin != BERTH_ORIGIN_LISTENER;
    bool proxy;
    guint16 guest_port = target(reach, family, rule->guest_port, asked, &proxy);
    if (guest_port == 0)
        return;
    BerthLeg *leg = &forward->legs[kind];
    *leg = (BerthLeg){.state = BERTH_FORWARD_WANTED,
                      .protocol = rule->protocol,
                      .family = family,
                      .host_port = rule->host_port,
                      .guest_port = guest_port};
    memcpy(leg->host, host, 16);
    if (family == 6)
        guest_v6(policy, proxy ? PROXIES_V6 : ETHERNET_V6, leg->guest);
    else
        memcpy(leg->guest, proxy ? proxies_v4 : ethernet_v4, 16);
}

static void set_legs(BerthForward *forward, const Reach *reach, const BerthForwardPolicy *policy)
{
    const BerthRule *rule = &forward->rule;
    const guint8 own[16] = {127, 0, (guint8)policy->slot, 1};
    for (guint i = 0; i < BERTH_LEGS; i++)
        forward->legs[i] = (BerthLeg){.state = BERTH_FORWARD_IGNORED};
    if (rule->family != 0) {
        set_leg(forward, rule->family == 6 ? BERTH_LEG_V6 : BERTH_LEG_V4, rule->address, reach,
                policy);
        return;
    }
    set_leg(forward, BERTH_LEG_V4, loopback_v4, reach, policy);
    set_leg(forward, BERTH_LEG_V6, loopback_v6, reach, policy);
    if (policy->slot != 0)
        set_leg(forward, BERTH_LEG_OWN, own, reach, policy);
}

/* --- the plan --- */

static bool has_port(const GArray *ports, guint16 port)
{
    for (guint i = 0; i < ports->len; i++)
        if (g_array_index(ports, guint16, i) == port)
            return true;
    return false;
}

static char *why_unreachable(const Reach *reach)
{
    if (reach->too_many)
        return g_strdup("too many sockets listen in the guest: this one is not forwarded");
    if (reach->problem != 0)
        return g_strdup_printf(
            "listens on the guest's %s only, and the guest has no proxy for it: %s",
            reach->loopback[4] ? "127.0.0.1" : "::1", g_strerror(reach->problem));
    if (reach->loopback[4] || reach->loopback[6])
        return g_strdup_printf("listens on the guest's %s only, where it cannot be reached",
                               reach->loopback[4] ? "127.0.0.1" : "::1");
    return g_strdup("listens only on another address of the guest");
}

/* Why a listener gets no automatic forward, or NULL. */
static char *why_ignored(const BerthRule *rule, const Reach *reach,
                         const BerthForwardPolicy *policy)
{
    guint port = rule->guest_port;
    if (rule->protocol == BERTH_UDP && !has_port(policy->udp, rule->guest_port))
        return g_strdup_printf("UDP is forwarded only on request: berth forward add NAME udp:%u, "
                               "or the setting ports-udp",
                               port);
    if (rule->protocol != BERTH_UDP && has_port(policy->ignore, rule->guest_port))
        return g_strdup_printf("the setting ports-ignore names port %u", port);
    bool reachable = reach->direct[4] || reach->direct[6];
    bool relayed = (reach->loopback[4] || reach->loopback[6]) && reach->relay != 0;
    return reachable || relayed ? NULL : why_unreachable(reach);
}

static BerthForward *new_forward(const BerthRule *rule, BerthOrigin origin, const Reach *reach,
                                 const BerthForwardPolicy *policy)
{
    BerthForward *forward = g_new0(BerthForward, 1);
    forward->rule = *rule;
    forward->host_port = rule->host_port;
    forward->origin = origin;
    forward->owner = g_strdup(reach != NULL ? reach->owner : "");
    forward->state = BERTH_FORWARD_WANTED;
    set_legs(forward, reach, policy);
    return forward;
}

static void ignore(BerthForward *forward, char *reason_take)
{
    g_free(forward->reason);
    forward->reason = reason_take;
    forward->state = BERTH_FORWARD_IGNORED;
    for (guint i = 0; i < BERTH_LEGS; i++)
        forward->legs[i] = (BerthLeg){.state = BERTH_FORWARD_IGNORED};
}

static void add_rules(GPtrArray *plan, const GArray *rules, BerthOrigin origin, GHashTable *reaches,
                      const BerthForwardPolicy *policy)
{
    for (guint i = 0; i < rules->len; i++) {
        const BerthRule *rule = &g_array_index(rules, BerthRule, i);
        bool twice = false;
        for (guint j = 0; j < plan->len && !twice; j++)
            twice = berth_rule_equal(&((BerthForward *)plan->pdata[j])->rule, rule);
        if (twice)
            continue;
        const Reach *reach = g_hash_table_lookup(reaches, key_of(rule->protocol, rule->guest_port));
        g_ptr_array_add(plan, new_forward(rule, origin, reach, policy));
    }
}

/* Whether @rule occupies at least the place of @leg on the host. */
static bool covers(const BerthRule *rule, const BerthLeg *leg)
{
    if (rule->protocol != leg->protocol || rule->host_port != leg->host_port || leg->family == 0)
        return false;
    bool all = memcmp(rule->address, any, sizeof(any)) == 0;
    return rule->family == 0 ||
           (rule->family == leg->family && (all || memcmp(rule->address, leg->host, 16) == 0));
}

/* Explicit rules take precedence. Drop the legs of an automatic forward that they occupy; false
 * when none is left. */
static bool yield_to_rules(BerthForward *forward, const GPtrArray *asked)
{
    bool left = false;
    for (guint kind = 0; kind < BERTH_LEGS; kind++) {
        BerthLeg *leg = &forward->legs[kind];
        for (guint i = 0; i < asked->len && leg->family != 0; i++) {
            const BerthRule *rule = &((const BerthForward *)asked->pdata[i])->rule;
            if (!covers(rule, leg))
                continue;
            *leg = (BerthLeg){.state = BERTH_FORWARD_IGNORED};
            if (rule->guest_port == forward->rule.guest_port)
                continue;
            g_autofree char *text = berth_rule_format(rule);
            g_free(forward->reason);
            forward->reason =
                g_strdup_printf("the forward %s uses port %u of the host", text, rule->host_port);
        }
        left = left || leg->family != 0;
    }
    if (!left && forward->reason == NULL)
        return false; /* a rule reaches the service already */
    if (!left)
        ignore(forward, g_steal_pointer(&forward->reason));
    else
        g_clear_pointer(&forward->reason, g_free);
    return true;
}

/* The family by which the service cannot be reached, as text; or NULL. */
static char *missing_family(const BerthForward *forward)
{
    bool v4 = forward->legs[BERTH_LEG_V4].family != 0;
    bool v6 = forward->legs[BERTH_LEG_V6].family != 0;
    if (v4 == v6)
        return NULL;
    return g_strdup(v4 ? "not on ::1: the service listens on IPv4 only"
                       : "not on 127.0.0.1: the service listens on IPv6 only");
}

/* The automatic forward of a listener, or NULL when rules cover it. */
static BerthForward *plan_listener(const BerthListener *listener, const Reach *reach,
                                   const GPtrArray *asked, const BerthForwardPolicy *policy)
{
    const BerthRule rule = {
        .protocol = listener->protocol, .host_port = listener->port, .guest_port = listener->port};
    g_autoptr(BerthForward) forward = new_forward(&rule, BERTH_ORIGIN_LISTENER, reach, policy);
    for (guint i = 0; i < asked->len; i++)
        if (berth_rule_equal(&((const BerthForward *)asked->pdata[i])->rule, &rule))
            return NULL;
    char *reason = why_ignored(&rule, reach, policy);
    g_autofree char *missing = missing_family(forward);
    if (reason != NULL)
        ignore(forward, reason);
    else if (!yield_to_rules(forward, asked))
        return NULL;
    if (forward->state == BERTH_FORWARD_WANTED)
        forward->reason = g_steal_pointer(&missing);
    return g_steal_pointer(&forward);
}

GPtrArray *berth_forward_plan(const GPtrArray *listeners, const BerthForwardPolicy *policy)
{
    GPtrArray *plan = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    g_autoptr(GPtrArray) asked = g_ptr_array_new();
    g_autoptr(GHashTable) reaches = reaches_of(listeners, policy);
    add_rules(plan, policy->rules, BERTH_ORIGIN_RULE, reaches, policy);
    add_rules(plan, policy->publish, BERTH_ORIGIN_PUBLISH, reaches, policy);
    for (guint i = 0; i < plan->len; i++)
        g_ptr_array_add(asked, plan->pdata[i]);

    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (guint i = 0; policy->automatic && i < listeners->len; i++) {
        const BerthListener *listener = g_ptr_array_index(listeners, i);
        gpointer key = key_of(listener->protocol, listener->port);
        if (!g_hash_table_add(seen, key))
            continue;
        BerthForward *forward =
            plan_listener(listener, g_hash_table_lookup(reaches, key), asked, policy);
        if (forward != NULL)
            g_ptr_array_add(plan, forward);
    }
    g_ptr_array_sort(plan, berth_forward_compare);
    return plan;
}
