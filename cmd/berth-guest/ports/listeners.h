/* SPDX-License-Identifier: MIT
 *
 * listeners — snapshots of the listening sockets, with a callback when they change.
 *
 * A snapshot is a dump by the kernel (sockdiag.h); this module decides when to take one. In the
 * machine the tracepoint sock:inet_sock_set_state triggers it (trace.h), filtered to sockets that
 * start or stop listening; events within a few milliseconds are debounced into one dump, and their
 * text is ignored. A slow poll catches events a full buffer lost; without tracefs a fast poll is
 * used.
 *
 * All sockets but the agent's own are reported: which of them matter is the host's policy.
 * Those that cannot be reached on @device get a proxy (loopback_proxies.h).
 */
#pragma once

#include "os/config.h"
#include "os/loop.h"
#include "wire/wire.h"

#include <stdbool.h>

typedef struct Listeners Listeners;

/* Start watching. Calls @changed after the first snapshot and each change. @use_events: try the
 * tracepoint. @device and @config (borrowed) go to loopback_proxies_new; a NULL @device means no
 * proxies. NULL when the kernel cannot dump its sockets. */
Listeners *listeners_new(Loop *loop, bool use_events, const char *device, const Config *config,
                         void (*changed)(void *data), void *data);
/* NULL is allowed. */
void listeners_free(Listeners *listeners);

/* Free what the last turn of the loop closed. Call between turns. NULL is allowed. */
void listeners_sweep(Listeners *listeners);

/* Whether there is a snapshot. */
bool listeners_known(const Listeners *listeners);

/* Append the last snapshot as a LISTENERS frame. */
void listeners_put(const Listeners *listeners, WireBuffer *buffer);
