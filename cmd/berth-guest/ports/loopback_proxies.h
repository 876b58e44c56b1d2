/* SPDX-License-Identifier: MIT
 *
 * loopback_proxies — TCP proxies for services that cannot be reached on eth0.
 *
 * A service bound to 127.0.0.1 or ::1, or to one family only, gets a proxy: a listener of the
 * agent, of both families, which splices its connections (splice.h) to the service's own address.
 * The service sees a client on its loopback.
 *
 * In the machine, proxies listen in a network namespace of their own (proxynet.h), on the port of
 * their service: they occupy no port of the guest, and its services and containers cannot see them.
 * In tests they listen on a device, on any free port. A proxy keeps its port as long as the service
 * needs it.
 */
#pragma once

#include "sockdiag.h"

#include "os/config.h"
#include "os/loop.h"

typedef struct LoopbackProxies LoopbackProxies;

/* With @config, the addresses of @device, proxies listen in a namespace next to @device, which the
 * first proxy creates; without it, on @device itself. Both are borrowed. NULL: out of memory. */
LoopbackProxies *loopback_proxies_new(Loop *loop, const char *device, const Config *config);
/* NULL is allowed. */
void loopback_proxies_free(LoopbackProxies *proxies);

/* Whether the socket with @inode is a proxy's listener in the agent's own network namespace. */
bool loopback_proxies_own(const LoopbackProxies *proxies, uint32_t inode);

/* Free the proxies and connections closed in the last turn of the loop. Call between turns. */
void loopback_proxies_sweep(LoopbackProxies *proxies);

/* Open and close proxies to match @sockets, which are sorted by port and at most
 * WIRE_LISTENERS_MAX. Sets listener.relay to the port of the proxy, or listener.problem to the
 * errno of a proxy that could not be opened, which is logged once. */
void loopback_proxies_follow(LoopbackProxies *proxies, ListeningSocket *sockets, size_t count);
