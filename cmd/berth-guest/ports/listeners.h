/* SPDX-License-Identifier: MIT
 *
 * listeners — which sockets listen or serve (sockdiag.h), and word when that changes.
 *
 * The truth is a dump by the kernel (sockdiag.h); what is here is only when to take one. In the
 * machine that is an event: the kernel's tracepoint sock:inet_sock_set_state, in a trace buffer of
 * our own, filtered to sockets that start or stop listening. Its text is not read, it is a tick,
 * and ticks within a few milliseconds are one. A slow sweep makes good what a full buffer lost;
 * without tracefs a fast sweep is all there is.
 *
 * Nothing is left out but the agent's own: which of them the host cares for is the host's policy.
 * Those that cannot be reached on @device get a door there (loopback_proxies.h).
 */
#pragma once

#include "os/config.h"
#include "os/loop.h"
#include "wire/wire.h"

#include <stdbool.h>

typedef struct Listeners Listeners;

/* Start watching; @changed is called after each change and for the first snapshot. @use_events: try
 * the tracepoint. @device and @config (borrowed) are doors_new's; without a device there are no
 * doors. NULL when the kernel cannot be asked for its sockets at all. */
Listeners *listeners_new(Loop *loop, bool use_events, const char *device, const Config *config,
                         void (*changed)(void *data), void *data);
/* NULL is nothing. */
void listeners_free(Listeners *listeners);

/* Free what the last turn of the loop has ended; call in between turns. NULL is nothing. */
void listeners_sweep(Listeners *listeners);

/* Whether there has been a snapshot. */
bool listeners_known(const Listeners *listeners);

/* Append the last snapshot as a LISTENERS frame. */
void listeners_put(const Listeners *listeners, WireBuffer *buffer);
