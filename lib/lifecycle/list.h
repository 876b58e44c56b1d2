/* SPDX-License-Identifier: MIT
 *
 * list — all distros with their present state.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    char *name;
    char *id;
    guint slot; /* unique; 0: none was left */
    bool is_default;
    char *disk;        /* path of the image; NULL while it is being imported */
    guint64 disk_size; /* bytes, as the guest sees it */
    guint64 disk_used; /* bytes on the host */
    gint64 created_usec;

    char *state;  /* a keeper's word, "stopped", "unresponsive", or that of the work being done */
    char *reason; /* why it is paused, or why nothing more is known; else NULL */
    guint holder_pid;            /* of the command that works on it, or 0 */
    guint keeper_pid;            /* or 0 */
    guint64 memory_used;         /* bytes of the host, by QEMU */
    BerthInstanceStatus *status; /* of a keeper that answers, or NULL */
    GPtrArray *forwards;         /* BerthForward *, of the same; or NULL */
} BerthListing;

/* Accepts NULL. */
void berth_listing_free(BerthListing *listing);

/* All distros, BerthListing *, the default first, then by name, then those being imported; free
 * with g_ptr_array_unref. Starts nothing, and answers within seconds whatever the keepers do. */
GPtrArray *berth_list_distros(Berth *berth, GError **error);

G_END_DECLS
