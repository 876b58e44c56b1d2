/* SPDX-License-Identifier: MIT
 *
 * port_entry — a forward in the table of ports: its legs, and what they come to in a word and a
 * reason. Pure. Strings are owned by the entry.
 */
#pragma once

#include "model/forward.h"

G_BEGIN_DECLS

/* What a leg has besides its place. */
typedef struct {
    guint64 serial;       /* of the add that has no answer yet; 0: none */
    guint64 holder_inode; /* whom the reason names; 0: nobody */
    char *why;            /* why it is BLOCKED */
} BerthPortSlot;

typedef struct {
    BerthForward *forward; /* owned */
    char *note;            /* what the plan says is not as wanted, or NULL */
    char *privileged;      /* why it is on another port of the host, or NULL */
    BerthPortSlot slots[BERTH_LEGS];
} BerthPortEntry;

/* For GDestroyNotify: @entry is a BerthPortEntry*. */
void berth_port_entry_free(gpointer entry);

/* State and reason of the forward, from its legs. */
void berth_port_entry_summarise(BerthPortEntry *entry);

G_END_DECLS
