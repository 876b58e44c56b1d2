/* SPDX-License-Identifier: MIT
 *
 * owner — which user of this host has the other end of a TCP connection.
 *
 * The kernel is asked by netlink for the one socket that has the connection's addresses the other
 * way round. A socket its process has closed has no owner any more, and the kernel then says root:
 * it is told by having no inode. Source: sock_diag(7).
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_OWNER_FOUND,
    BERTH_OWNER_UNKNOWN,   /* it is closed already, or the kernel did not say */
    BERTH_OWNER_ELSEWHERE, /* no socket of this host is the other end */
} BerthOwnerAnswer;

/* A socket to ask with, or -1 with errno. */
int berth_owner_open(void);

/* @ret_uid is set only when it is FOUND. */
BerthOwnerAnswer berth_owner_find(int diag_fd, int fd, uid_t *ret_uid);

G_END_DECLS
