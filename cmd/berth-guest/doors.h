/* SPDX-License-Identifier: MIT
 *
 * doors — ways in for services that cannot be reached on eth0.
 *
 * A service bound to 127.0.0.1 or ::1, or to one family only, gets a door: a port of the agent's
 * own on eth0, of both families, whose connections are carried (pump.h) to the service's own
 * address. So the service sees a client on its loopback, as it would without a machine in between.
 *
 * A door belongs to the device, not to an address: the rest of the guest, and its containers, find
 * nothing there. It stays the same for as long as the service needs it.
 */
#pragma once

#include "loop.h"
#include "sockdiag.h"

typedef struct Doors Doors;

/* Doors are on @device (borrowed). NULL when there is no memory. */
Doors *doors_new(Loop *loop, const char *device);
/* NULL is nothing. */
void doors_free(Doors *doors);

/* Whether the socket with @inode is a door. */
bool doors_own(const Doors *doors, uint32_t inode);

/* Free what was closed in the last turn of the loop. Call in between turns. */
void doors_sweep(Doors *doors);

/* Open and close doors so that each of @sockets, sorted by port, that needs one has one; its number
 * is put into listener.relay. */
void doors_follow(Doors *doors, ListeningSocket *sockets, size_t count);
