/* SPDX-License-Identifier: MIT
 *
 * natports — ports that the guest's own packet filter redirects by DNAT, usually to a container.
 *
 * CNI's portmap, a NodePort and many scripts publish a port by a DNAT rule alone: no socket
 * listens. nfnetlink notifies of changed rules, a dump then reads them. Rules count that match one
 * port of TCP or UDP, in tables with a chain of type nat at prerouting, written by nft or
 * iptables-nft. Sets, maps and port ranges are ignored.
 */
#pragma once

#include "sockdiag.h"

#include "netlink/netlink.h"
#include "os/loop.h"

/* A hook is where the kernel enters a chain. Chains with a hook beyond these are not read. */
#define NATPORTS_CHAINS_MAX 1024

typedef struct NatPorts NatPorts;

typedef struct {
    Netlink requests;
    int events; /* readable when the rules may have changed */
} NatPortsSockets;

/* False where the kernel has no packet filter or refuses access to it. */
bool natports_open(NatPortsSockets *ret_sockets);

/* Takes @sockets, also on failure. Calls @changed when the rules may have changed. NULL: out of
 * memory. */
NatPorts *natports_new(Loop *loop, const NatPortsSockets *sockets, void (*changed)(void *data),
                       void *data);
/* NULL is allowed. */
void natports_free(NatPorts *ports);

/* Append the ports to the @count @sockets, of which @max fit. Returns the new count. They have the
 * address of eth0, no inode and no owner. Sockets on :: with one of these ports are dropped:
 * dockerd holds such sockets without ever accepting on them. */
size_t natports_merge(NatPorts *ports, ListeningSocket *sockets, size_t count, size_t max);

/* How many ports did not fit the last merge. */
size_t natports_left_out(const NatPorts *ports);

/* How many chains of type nat at prerouting were not read, and so none of their ports. */
size_t natports_chains_left_out(const NatPorts *ports);
