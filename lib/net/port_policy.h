/* SPDX-License-Identifier: MIT
 *
 * port_policy — the table of an instance's forwards, and the operations that carry out a plan.
 *
 *     a plan (model/forward.h) -> what changed, leg by leg -> add and remove
 *
 * A port the guest listens on becomes the same port on the host's localhost, or BLOCKED with a
 * reason that names the holder; it never silently becomes another port. Each leg has its own state.
 * A forward is OPEN when one localhost leg is, and its reason names the other. Blocked legs are
 * retried every two seconds; no timer runs otherwise. A forward ends as soon as the guest stops
 * listening.
 *
 *     WANTED    add in flight, or berth-net not running (see berth_port_policy_reopen)
 *     OPEN      add succeeded
 *     BLOCKED   add failed; retried until it succeeds or the guest stops listening
 *     IGNORED   excluded by the plan; for a leg also: the host has no such address
 *
 * Where ports 80 and 443 are privileged, the forward uses 8080 and 8443 of the host and says so,
 * unless another forward wants those.
 *
 * The operations are callbacks, so that tests need no process. Asynchronous on the thread-default
 * GMainContext.
 */
#pragma once

#include "model/forward.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_PORTS_RETRY_MSEC 2000

/* Operations run in the order of the calls. @done is called exactly once, after the operation
 * returned, with 0 or an errno; ECONNRESET and ECANCELED mean that everything is closed. It may
 * come after berth_port_policy_free. */
typedef struct {
    void (*add)(const BerthLeg *leg, void (*done)(int errnum, gpointer call), gpointer call,
                gpointer user_data);
    void (*remove)(const BerthLeg *leg, gpointer user_data);
    /* The name of the user's distro that holds the host's side of @leg, newly allocated; or
     * NULL. */
    char *(*find_distro)(const BerthLeg *leg, gpointer user_data);
    /* The list may have changed. Must not change the table. */
    void (*changed)(gpointer user_data);
} BerthPortPolicyOps;

typedef struct BerthPortPolicy BerthPortPolicy;

/* @ops is borrowed; its last two members may be NULL. */
BerthPortPolicy *berth_port_policy_new(const BerthPortPolicyOps *ops, gpointer user_data);
/* Leaves open ports open. Accepts NULL. */
void berth_port_policy_free(BerthPortPolicy *ports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPortPolicy, berth_port_policy_free)

/* Apply @plan, of berth_forward_plan; takes ownership. While PENDING_MAX adds are in flight the
 * newest plan is deferred, which bounds the requests a guest can cause. */
void berth_port_policy_update(BerthPortPolicy *ports, GPtrArray *plan);

/* Reopen all forwards after berth-net was restarted and nothing is open. */
void berth_port_policy_reopen(BerthPortPolicy *ports);

/* Retry blocked legs now, after ports were released. False when none is blocked. */
bool berth_port_policy_retry(BerthPortPolicy *ports);

/* All forwards, BerthForward*, in the order of berth_forward_compare. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_port_policy_list(const BerthPortPolicy *ports);

G_END_DECLS
