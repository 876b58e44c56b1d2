/* SPDX-License-Identifier: MIT
 *
 * sockdiag — the kernel's listening TCP sockets and its UDP servers, and who has them open.
 *
 * What is bound to all addresses of both families (dual-stack) is two listeners, 0.0.0.0 and ::, so
 * that nobody need know which :: takes IPv4, too. A UDP socket serves if it has no peer and a port
 * outside the range the kernel gives to clients.
 */
#pragma once

#include "netlink/netlink.h"
#include "wire/wire.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    WireListener listener; /* its owner is the field below */
    uint32_t inode;        /* the socket's */
    char owner[16];        /* the process's name; "" when nobody who can be seen has it open */
} ListeningSocket;

/* All of them, at most @max, sorted by port, protocol, family and address, one for each address.
 * @diag is a socket of NETLINK_SOCK_DIAG. The number of them, or -errno. */
int sockdiag_dump(Netlink *diag, ListeningSocket *sockets, size_t max);

/* Sort @sockets and leave repeats out; returns how many are left. */
size_t sockdiag_sort(ListeningSocket *sockets, size_t count);

/* Move those that are worth most to the front, at most @max: TCP before UDP, by port. Both parts
 * are sorted. Returns how many are in the first. */
size_t sockdiag_choose(ListeningSocket *sockets, size_t count, size_t max);

/* Fill in the owner of those sockets that have none, by one bounded walk through /proc. */
void sockdiag_find_owners(ListeningSocket *sockets, size_t count);
