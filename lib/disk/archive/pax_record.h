/* SPDX-License-Identifier: MIT
 *
 * pax_record — encodes the records of a pax extended header: "LENGTH KEY=VALUE\n".
 *
 * Appends to a GByteArray of the caller. Pure.
 */
#pragma once

#include "disk/tree/entry.h"

G_BEGIN_DECLS

void berth_pax_record_add(GByteArray *records, const char *key, const void *value, gsize size);
void berth_pax_record_add_number(GByteArray *records, const char *key, gint64 value);

/* Add the owner, times and attributes of @entry that a ustar header cannot represent. */
void berth_pax_record_add_entry(GByteArray *records, const BerthEntry *entry);

G_END_DECLS
