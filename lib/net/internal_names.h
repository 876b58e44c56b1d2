/* SPDX-License-Identifier: MIT
 *
 * internal_names — the names a guest's name server answers locally: the host and the running
 * distros.
 *
 *     host.berth.internal   10.0.2.2, and prefix::2 where there is IPv6
 *     NAME.berth.internal   198.19.255.N, the distro in slot N (nat.h)
 *
 * and their reverse records. The server is authoritative for berth.internal: other names below it
 * do not exist. A distro called "host" cannot be resolved by that name.
 *
 * A plain value; the functions are pure otherwise.
 */
#pragma once

#include "address.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_NAME_SIZE 64u /* of a distro's name, with NUL */

typedef struct {
    guint8 prefix[16]; /* of the guest's IPv6 network; all zero: none */
    char distros[BERTH_SLOT_MAX + 1][BERTH_NAME_SIZE]; /* by slot; "" where none runs */
} BerthInternalNames;

/* Set the name of a slot; "" clears it. False for an invalid slot or name. */
bool berth_internal_names_set(BerthInternalNames *names, guint slot, const char *name);

/* Answer @query of @size bytes; returns the answer's size, or 0 when the query must be forwarded.
 * @ret_bytes has room for BERTH_DNS_MADE_MAX. */
gsize berth_internal_names_answer(const BerthInternalNames *names, const guint8 *query, gsize size,
                                  guint8 *ret_bytes);

G_END_DECLS
