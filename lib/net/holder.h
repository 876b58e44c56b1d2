/* SPDX-License-Identifier: MIT
 *
 * holder — finds the process that holds a port of the host, for messages.
 *
 * The socket tables in /proc give owner and inode; a process with a descriptor of that inode is the
 * holder. Processes of other users, and non-dumpable ones such as berth-net, cannot be inspected.
 * Blocks on /proc only, but walks all processes: cache the result by inode.
 */
#pragma once

#include "model/forward.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
    guint64 inode; /* of the socket; never 0 */
    uid_t uid;     /* owner of the socket */
} BerthHolder;

/* Find the socket that keeps the host's side of @leg from being bound, preferring a listener. @proc
 * is "/proc", or a tree of that shape in tests. False when there is none. */
bool berth_holder_find(const char *proc, const BerthLeg *leg, BerthHolder *ret_holder);

/* "node (pid 4121)", "a process of user 33" or "another process". Free with g_free. */
char *berth_holder_describe(const char *proc, const BerthHolder *holder);

G_END_DECLS
