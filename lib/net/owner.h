/* SPDX-License-Identifier: MIT
 *
 * owner — finds the local user at the other end of a TCP connection.
 *
 * Asks the kernel by netlink for the socket with the connection's addresses swapped. A socket that
 * its process has closed has no inode, and the kernel reports root as its owner: treated as
 * unknown. Source: sock_diag(7).
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_OWNER_FOUND,
    BERTH_OWNER_UNKNOWN,   /* closed already, or the kernel gave no answer */
    BERTH_OWNER_ELSEWHERE, /* the peer is not a socket of this host */
} BerthOwnerAnswer;

/* A netlink socket for the queries, or -1 with errno. */
int berth_owner_open(void);

/* @ret_uid is set only for FOUND. */
BerthOwnerAnswer berth_owner_find(int diag_fd, int fd, uid_t *ret_uid);

G_END_DECLS
