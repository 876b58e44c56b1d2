/* SPDX-License-Identifier: MIT
 *
 * list — all distros with their current state.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    char *name;
    char *id;
    guint slot; /* unique; 0: all are used */
    bool is_default;
    bool autostart; /* starts with the user's systemd */
    char *disk;             /* path of the image; NULL during an import */
    guint64 disk_size;      /* bytes, as the guest sees it */
    guint64 disk_used;      /* bytes on the host */
    guint64 snapshots_used; /* the same of its snapshots */
    gint64 created_usec;
    char *template; /* of a throw-away clone: the distro it is a clone of; or NULL */

    char *state;      /* the keeper's state, "stopped", "unresponsive", or the work in progress */
    char *reason;     /* why it is paused, or why its state is unknown; or NULL */
    guint holder_pid; /* of the command that works on it, or 0 */
    guint keeper_pid; /* or 0 */
    guint64 memory_used;         /* bytes of the host, by the guest */
    BerthInstanceStatus *status; /* from the keeper, if it answered; or NULL */
    GPtrArray *forwards;         /* BerthForward *, from the keeper; or NULL */
} BerthListing;

/* The bytes of the disk of @distro: apparent, and allocated on the host; 0 if there is none. */
void berth_disk_measure(const BerthDistro *distro, guint64 *ret_size, guint64 *ret_used);

/* NULL is allowed. */
void berth_listing_free(BerthListing *listing);

/* All distros, BerthListing *, the default first, then by name, then those being imported; free
 * with g_ptr_array_unref. Starts nothing, and returns within seconds even if keepers do not
 * answer. */
GPtrArray *berth_list_distros(Berth *berth, GError **error);

G_END_DECLS
