/* SPDX-License-Identifier: MIT
 *
 * port_entry — one forward in the port table: its legs, and the state and reason that summarise
 * them. Pure. Strings are owned by the entry.
 */
#pragma once

#include "model/forward.h"

G_BEGIN_DECLS

/* Bookkeeping of a leg. */
typedef struct {
    guint64 serial;       /* of the pending add; 0: none */
    guint64 holder_inode; /* inode of the socket that the reason names; 0: none */
    char *why;            /* why it is BLOCKED */
} BerthPortSlot;

typedef struct {
    BerthForward *forward; /* owned */
    char *note;            /* the plan's remark about a deviation, or NULL */
    char *privileged;      /* why another host port is used, or NULL */
    BerthPortSlot slots[BERTH_LEGS];
} BerthPortEntry;

/* For GDestroyNotify: @entry is a BerthPortEntry*. */
void berth_port_entry_free(gpointer entry);

/* Derive the forward's state and reason from its legs. */
void berth_port_entry_summarise(BerthPortEntry *entry);

G_END_DECLS
