/* SPDX-License-Identifier: MIT
 *
 * fake_net — a port table over a fake berth-net, which records requests and answers them on
 * command.
 */
#pragma once

#include "net/port_policy.h"

#include "listening.h"

#include <errno.h>
#include <string.h>

/* The fake berth-net. */
typedef struct {
    BerthPortPolicy *ports;
    BerthForwardPolicy *policy;
    GString *requests; /* "+80 -80 " on 127.0.0.1, "+::1:80 " elsewhere, "+80>40000 " */
    GQueue calls;      /* Call* */
    guint changes;
} FakeNet;

typedef struct {
    void (*done)(int errnum, gpointer call);
    gpointer call;
} Call;

static inline void record(FakeNet *net, char sign, const BerthLeg *leg)
{
    g_autofree char *address = berth_rule_address_text(leg->family, leg->host);
    bool usual = strcmp(address, "127.0.0.1") == 0;
    g_string_append_printf(net->requests, "%c%s%s%u", sign, usual ? "" : address, usual ? "" : ":",
                           leg->host_port);
    if (leg->guest_port != leg->host_port)
        g_string_append_printf(net->requests, ">%u", leg->guest_port);
    g_string_append(net->requests, " ");
}

static inline void fake_net_add(const BerthLeg *leg, void (*done)(int errnum, gpointer call),
                                gpointer call, gpointer user_data)
{
    FakeNet *net = user_data;
    record(net, '+', leg);
    Call *pending = g_new(Call, 1);
    *pending = (Call){done, call};
    g_queue_push_tail(&net->calls, pending);
}

static inline void fake_net_remove(const BerthLeg *leg, gpointer user_data)
{
    record(user_data, '-', leg);
}

static inline char *fake_net_find_distro(const BerthLeg *leg, gpointer user_data)
{
    return leg->host_port == 7777 ? g_strdup("the distro debian") : NULL;
}

static inline void fake_net_changed(gpointer user_data)
{
    FakeNet *net = user_data;
    net->changes++;
}

static const BerthPortPolicyOps ops = {.add = fake_net_add,
                                       .remove = fake_net_remove,
                                       .find_distro = fake_net_find_distro,
                                       .changed = fake_net_changed};

static inline void answer(FakeNet *net, int errnum)
{
    g_autofree Call *call = g_queue_pop_head(&net->calls);
    g_assert_nonnull(call);
    call->done(errnum, call->call);
}

static inline void fake_net_init(FakeNet *net)
{
    net->requests = g_string_new(NULL);
    g_queue_init(&net->calls);
    net->ports = berth_port_policy_new(&ops, net);
    net->policy = listening_policy(NULL);
    net->policy->slot = 0;
    net->changes = 0;
}

static inline void fake_net_clear(FakeNet *net)
{
    berth_port_policy_free(net->ports);
    while (!g_queue_is_empty(&net->calls))
        answer(net, ECANCELED);
    g_string_free(net->requests, TRUE);
    berth_forward_policy_free(net->policy);
}

#define assert_requests(net, text)                                                                 \
    do {                                                                                           \
        g_assert_cmpstr((net)->requests->str, ==, (text));                                         \
        g_string_truncate((net)->requests, 0);                                                     \
    } while (0)

/* Update the plan for listeners as text: lib/listening.h. */
static inline void listens(FakeNet *net, const char *text)
{
    g_autoptr(GPtrArray) listeners = listening(text);
    berth_port_policy_update(net->ports, berth_forward_plan(listeners, net->policy));
}

/* "22 open, 80 blocked" */
static inline char *states(FakeNet *net)
{
    g_autoptr(GPtrArray) list = berth_port_policy_list(net->ports);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        const BerthForward *forward = g_ptr_array_index(list, i);
        g_string_append_printf(text, "%s%u %s", i > 0 ? ", " : "", forward->host_port,
                               berth_forward_state_word(forward->state));
        g_assert_true(forward->reason != NULL || forward->state == BERTH_FORWARD_OPEN ||
                      forward->state == BERTH_FORWARD_WANTED);
    }
    return g_string_free(text, FALSE);
}

#define assert_states(net, expected)                                                               \
    do {                                                                                           \
        g_autofree char *now = states(net);                                                        \
        g_assert_cmpstr(now, ==, (expected));                                                      \
    } while (0)

static inline char *reason_of(FakeNet *net, guint index)
{
    g_autoptr(GPtrArray) list = berth_port_policy_list(net->ports);
    g_assert_cmpuint(index, <, list->len);
    return g_strdup(((const BerthForward *)g_ptr_array_index(list, index))->reason);
}

/* Whether a timer runs in the main context. */
static inline bool timer_runs(void)
{
    gint timeout = -1, priority;
    GPollFD fds[8];
    GMainContext *context = g_main_context_default();
    g_assert_true(g_main_context_acquire(context));
    g_main_context_prepare(context, &priority);
    g_main_context_query(context, priority, &timeout, fds, G_N_ELEMENTS(fds));
    g_main_context_release(context);
    return timeout >= 0;
}
