/* SPDX-License-Identifier: MIT
 *
 * ports — the table of an instance's forwards, and what is done about each.
 *
 *     listeners in the guest -> berth_forward_plan -> what changed -> add and remove
 *
 * A port the guest listens on becomes the same port of the host's localhost, or is BLOCKED with a
 * reason that names who has it; it never silently becomes another. Blocked ports are tried again
 * every two seconds while there are any, and no timer runs otherwise. A forward ends as soon as the
 * guest stops listening.
 *
 *     WANTED    asked for, no answer yet (or nobody to ask: see berth_ports_reopen)
 *     OPEN      the answer was good
 *     BLOCKED   it was not; tried again until it is or the guest stops listening
 *     IGNORED   the plan says so
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
    void (*add)(const BerthForward *forward, void (*done)(int errnum, gpointer call), gpointer call,
                gpointer user_data);
    void (*remove)(const BerthForward *forward, gpointer user_data);
} BerthPortsOps;

typedef struct BerthPorts BerthPorts;

/* @ops is borrowed. */
BerthPorts *berth_ports_new(const BerthPortsOps *ops, gpointer user_data);
/* Leaves what is open as it is. NULL is fine. */
void berth_ports_free(BerthPorts *ports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPorts, berth_ports_free)

/* What listens in the guest now: BerthListener*. While a thousand adds wait for their answers it is
 * only remembered, in place of the one before, so that a guest cannot make us ask without end. */
void berth_ports_update(BerthPorts *ports, const GPtrArray *listeners);

/* Nothing is open any more, and there is somebody to ask again: berth-net was restarted. */
void berth_ports_reopen(BerthPorts *ports);

/* All forwards as they are now, BerthForward*, sorted by port. Free with g_ptr_array_unref. */
GPtrArray *berth_ports_list(const BerthPorts *ports);

G_END_DECLS
