/* SPDX-License-Identifier: MIT
 *
 * holder — who has a port of an address of the host, for messages.
 *
 * Read from /proc: the kernel's socket tables name an owner and an inode, the descriptors of
 * processes the same inode. Other users' processes cannot be looked into, nor those that hide, as
 * berth-net does. Blocking, but only on /proc; walks all processes, so ask again only when the
 * inode has changed.
 */
#pragma once

#include "model/forward.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
    guint64 inode; /* of the socket; never 0 */
    uid_t uid;     /* that opened it */
} BerthHolder;

/* The socket that keeps the host's side of @leg from being bound: a listener if there is one. @proc
 * is "/proc", or a tree like it in tests. False when there is none. */
bool berth_holder_find(const char *proc, const BerthLeg *leg, BerthHolder *ret_holder);

/* "node (pid 4121)", "a process of user 33" or "another process". Free with g_free. */
char *berth_holder_describe(const char *proc, const BerthHolder *holder);

G_END_DECLS
