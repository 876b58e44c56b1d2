/* SPDX-License-Identifier: MIT
 *
 * guest_use — what a guest uses of its own machine, by its own account, and its network traffic.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes. A guest may lie; it cannot use more than it has. */
typedef struct {
    gint64 seen_usec; /* time of day at which the guest said the next four; 0: never, they are 0 */
    guint64 memory;   /* that its kernel manages */
    guint64 memory_used; /* not available to a new program */
    guint64 disk;        /* size of its root file system */
    guint64 disk_used;   /* of that */
    guint64 received;    /* frames to it, since its berth-net began */
    guint64 sent;        /* frames of its that passed */
} BerthGuestUse;

G_END_DECLS
