/* SPDX-License-Identifier: MIT
 *
 * sockdiag — listening TCP sockets and UDP servers with the processes that own them.
 *
 * A dual-stack socket on all addresses is reported as two listeners, 0.0.0.0 and ::, so that
 * readers need not know IPV6_V6ONLY. A UDP socket is a server if it has no peer and its port is
 * outside ip_local_port_range.
 */
#pragma once

#include "netlink/netlink.h"
#include "wire/wire.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    WireListener listener; /* listener.owner is not used: see owner */
    uint32_t inode;
    char owner[16]; /* process name; "": no visible process has the socket open */
} ListeningSocket;

/* Dump at most @max sockets through @diag (NETLINK_SOCK_DIAG), sorted by port, protocol, family and
 * address, one for each address, without owners. Returns their number, or -errno. */
int sockdiag_dump(Netlink *diag, ListeningSocket *sockets, size_t max);

/* Sort @sockets and drop duplicates. Returns the new count. */
size_t sockdiag_sort(ListeningSocket *sockets, size_t count);

/* Move the at most @max sockets of highest priority to the front: TCP before UDP, then by port.
 * Both parts stay sorted. Returns the size of the first. */
size_t sockdiag_choose(ListeningSocket *sockets, size_t count, size_t max);

/* Fill in missing owners by one bounded walk of /proc. */
void sockdiag_find_owners(ListeningSocket *sockets, size_t count);
