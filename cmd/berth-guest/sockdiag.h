/* SPDX-License-Identifier: MIT
 *
 * sockdiag — the kernel's listening TCP sockets, and who has them open.
 */
#pragma once

#include "wire/wire.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    WireListener listener; /* its owner is the field below */
    uint32_t inode;        /* the socket's */
    char owner[16];        /* the process's name; "" when nobody who can be seen has it open */
} ListeningSocket;

/* A socket for questions; -1 with errno. */
int sockdiag_open(void);

/* All listening TCP sockets, IPv4 and IPv6, at most @max, in a stable order, one for each address.
 * The number of them, or -errno. */
int sockdiag_dump(int fd, ListeningSocket *sockets, size_t max);

/* Fill in the owner of those sockets that have none, by one bounded walk through /proc. */
void sockdiag_find_owners(ListeningSocket *sockets, size_t count);
