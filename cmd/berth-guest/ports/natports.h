/* SPDX-License-Identifier: MIT
 *
 * natports — ports that the guest's own packet filter hands on, to a container most likely.
 *
 * CNI's portmap, a NodePort and many a script publish a port by a DNAT rule alone: no socket
 * listens. The kernel tells when its rules change (nfnetlink), a dump of them is the truth. Rules
 * for one port of TCP or UDP count, of the tables that have a chain of type nat at prerouting,
 * written by nft or by iptables-nft. Sets, maps and ranges of ports are not looked into.
 */
#pragma once

#include "sockdiag.h"

#include "netlink/netlink.h"
#include "os/loop.h"

typedef struct NatPorts NatPorts;

typedef struct {
    Netlink questions;
    int events; /* readable when the rules may have changed */
} NatPortsSockets;

/* Open the kernel's. False where it has no packet filter, or does not tell us. */
bool natports_open(NatPortsSockets *ret_sockets);

/* Takes @sockets. @changed is called when the rules may have become others. NULL when there is no
 * memory. */
NatPorts *natports_new(Loop *loop, const NatPortsSockets *sockets, void (*changed)(void *data),
                       void *data);
/* NULL is nothing. */
void natports_free(NatPorts *ports);

/* Add the ports to @sockets, of which @count are there and @max fit; returns their new number. They
 * are on the address of eth0 and have no inode and no owner. What listens on one of them on all
 * addresses of IPv6 is left out: dockerd does without ever taking a connection. */
size_t natports_merge(NatPorts *ports, ListeningSocket *sockets, size_t count, size_t max);

/* How many ports and chains of the rules were left out for want of room, a port that several rules
 * hand on once for each. */
size_t natports_left_out(const NatPorts *ports);
