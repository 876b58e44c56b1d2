/* SPDX-License-Identifier: MIT
 *
 * port_policy — the table of an instance's forwards, and what is done about each.
 *
 *     a plan (model/forward.h) -> what changed, leg by leg -> add and remove
 *
 * A port the guest listens on becomes the same port of the host's localhost, or is BLOCKED with a
 * reason that names who has it; it never silently becomes another. Each leg has a state of its own;
 * the forward is OPEN when one of localhost is, and its reason names the other. Blocked legs are
 * tried again every two seconds while there are any, and no timer runs otherwise. A forward ends as
 * soon as the guest stops listening.
 *
 *     WANTED    asked for, no answer yet (or nobody to ask: see berth_ports_reopen)
 *     OPEN      the answer was good
 *     BLOCKED   it was not; tried again until it is or the guest stops listening
 *     IGNORED   the plan says so; of a leg also: the host has no such address
 *
 * Where port 80 or 443 takes privileges, the forward is 8080 or 8443 of the host, and says so,
 * unless another one wants that.
 *
 * How a port is opened is up to the operations, so that the table needs no process to be tested.
 * Asynchronous on the thread-default GMainContext.
 */
#pragma once

#include "model/forward.h"

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_PORTS_RETRY_MSEC 2000

/* Operations are carried out in the order they are asked for. @done is called exactly once, not
 * before the operation returned, with 0 or an errno; ECONNRESET and ECANCELED say that nothing is
 * open any more. It may come after berth_ports_free. */
typedef struct {
    void (*add)(const BerthLeg *leg, void (*done)(int errnum, gpointer call), gpointer call,
                gpointer user_data);
    void (*remove)(const BerthLeg *leg, gpointer user_data);
    /* Which of this user's distros has the host's side of @leg; a new string, or NULL. */
    char *(*find_distro)(const BerthLeg *leg, gpointer user_data);
    /* Something in the list may be another now. Must not change the table. */
    void (*changed)(gpointer user_data);
} BerthPortsOps;

typedef struct BerthPorts BerthPorts;

/* @ops is borrowed; its last two may be NULL. */
BerthPorts *berth_ports_new(const BerthPortsOps *ops, gpointer user_data);
/* Leaves what is open as it is. NULL is fine. */
void berth_ports_free(BerthPorts *ports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPorts, berth_ports_free)

/* What is wanted now, of berth_forward_plan; taken. While a thousand adds wait for their answers it
 * is only remembered, in place of the one before, so that a guest cannot make us ask without end.
 */
void berth_ports_update(BerthPorts *ports, GPtrArray *plan);

/* Nothing is open any more, and there is somebody to ask again: berth-net was restarted. */
void berth_ports_reopen(BerthPorts *ports);

/* Try what is blocked now, not at the next turn: somebody let go of ports. False: nothing is. */
bool berth_ports_retry(BerthPorts *ports);

/* All forwards as they are now, BerthForward*, in the order of berth_forward_compare. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_ports_list(const BerthPorts *ports);

G_END_DECLS
