/* SPDX-License-Identifier: MIT
 *
 * asking — a port table whose berth-net is the test: it records requests, and answers them on
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
    GString *asked; /* requests: "+80 -80 " on 127.0.0.1, "+::1:80 " elsewhere, "+80>40000 " */
    GQueue calls;   /* Call* */
    guint changes;
} World;

typedef struct {
    void (*done)(int errnum, gpointer call);
    gpointer call;
} Call;

static inline void note(World *world, char sign, const BerthLeg *leg)
{
    g_autofree char *address = berth_rule_address_text(leg->family, leg->host);
    bool usual = strcmp(address, "127.0.0.1") == 0;
    g_string_append_printf(world->asked, "%c%s%s%u", sign, usual ? "" : address, usual ? "" : ":",
                           leg->host_port);
    if (leg->guest_port != leg->host_port)
        g_string_append_printf(world->asked, ">%u", leg->guest_port);
    g_string_append(world->asked, " ");
}

static inline void world_add(const BerthLeg *leg, void (*done)(int errnum, gpointer call),
                             gpointer call, gpointer user_data)
{
    World *world = user_data;
    note(world, '+', leg);
    Call *pending = g_new(Call, 1);
    *pending = (Call){done, call};
    g_queue_push_tail(&world->calls, pending);
}

static inline void world_remove(const BerthLeg *leg, gpointer user_data)
{
    note(user_data, '-', leg);
}

static inline char *world_find_distro(const BerthLeg *leg, gpointer user_data)
{
    return leg->host_port == 7777 ? g_strdup("the distro debian") : NULL;
}

static inline void world_changed(gpointer user_data)
{
    World *world = user_data;
    world->changes++;
}

static const BerthPortPolicyOps ops = {.add = world_add,
                                       .remove = world_remove,
                                       .find_distro = world_find_distro,
                                       .changed = world_changed};

static inline void answer(World *world, int errnum)
{
    g_autofree Call *call = g_queue_pop_head(&world->calls);
    g_assert_nonnull(call);
    call->done(errnum, call->call);
}

static inline void world_init(World *world)
{
    world->asked = g_string_new(NULL);
    g_queue_init(&world->calls);
    world->ports = berth_port_policy_new(&ops, world);
    world->policy = listening_policy(NULL);
    world->policy->slot = 0;
    world->changes = 0;
}

static inline void world_clear(World *world)
{
    berth_port_policy_free(world->ports);
    while (!g_queue_is_empty(&world->calls))
        answer(world, ECANCELED);
    g_string_free(world->asked, TRUE);
    berth_forward_policy_free(world->policy);
}

#define assert_asked(world, text)                                                                  \
    do {                                                                                           \
        g_assert_cmpstr((world)->asked->str, ==, (text));                                          \
        g_string_truncate((world)->asked, 0);                                                      \
    } while (0)

/* Update the plan for listeners as text: lib/listening.h. */
static inline void listens(World *world, const char *text)
{
    g_autoptr(GPtrArray) listeners = listening(text);
    berth_port_policy_update(world->ports, berth_forward_plan(listeners, world->policy));
}

/* "22 open, 80 blocked" */
static inline char *states(World *world)
{
    g_autoptr(GPtrArray) list = berth_port_policy_list(world->ports);
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

#define assert_states(world, expected)                                                             \
    do {                                                                                           \
        g_autofree char *now = states(world);                                                      \
        g_assert_cmpstr(now, ==, (expected));                                                      \
    } while (0)

static inline char *reason_of(World *world, guint index)
{
    g_autoptr(GPtrArray) list = berth_port_policy_list(world->ports);
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
