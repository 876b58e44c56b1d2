/* SPDX-License-Identifier: MIT
 *
 * loopback_proxies — ways in for services that cannot be reached on eth0.
 *
 * A service bound to 127.0.0.1 or ::1, or to one family only, gets a door: a listener of the
 * agent's, of both families, whose connections are carried (splice.h) to the service's own address.
 * So the service sees a client on its loopback, as it would without a machine in between.
 *
 * In a machine doors are in a network of their own (proxynet.h), made with the first of them, at
 * the port of their service: they take nothing of the guest's, and neither its services nor its
 * containers find them. Elsewhere, for tests, they are on a device, at any port that is free. A
 * door stays the same for as long as the service needs it.
 */
#pragma once

#include "sockdiag.h"

#include "os/config.h"
#include "os/loop.h"

typedef struct Doors Doors;

/* Doors are next to @device, which has the addresses of @config, in a network of their own; without
 * @config on @device itself. Both are borrowed. NULL when there is no memory. */
Doors *doors_new(Loop *loop, const char *device, const Config *config);
/* NULL is nothing. */
void doors_free(Doors *doors);

/* Whether the socket with @inode is a door. */
bool doors_own(const Doors *doors, uint32_t inode);

/* Free what was closed in the last turn of the loop. Call in between turns. */
void doors_sweep(Doors *doors);

/* Open and close doors so that each of @sockets, sorted by port and at most WIRE_LISTENERS_MAX,
 * that needs one has one; its port is put into listener.relay, or why there is none into
 * listener.problem. That is logged once, not at each call. */
void doors_follow(Doors *doors, ListeningSocket *sockets, size_t count);
