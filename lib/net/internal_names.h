/* SPDX-License-Identifier: MIT
 *
 * internal_names — what the name server of a guest answers by itself: the host and the running
 * distros.
 *
 *     host.berth.internal   10.0.2.2, and prefix::2 where there is IPv6
 *     NAME.berth.internal   198.19.255.N, the distro with slot N (nat.h)
 *
 * and their addresses in reverse. Nothing else exists below berth.internal, and nobody else is
 * asked about it. A distro called "host" is not to be found under that name.
 *
 * Pure but for the table itself, a plain value.
 */
#pragma once

#include "address.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_NAME_SIZE 64u /* of a distro's name, with its end */

typedef struct {
    guint8 prefix[16]; /* of the guest's IPv6 network; all zero: there is none */
    char distros[BERTH_SLOT_MAX + 1][BERTH_NAME_SIZE]; /* by slot; "" where none runs */
} BerthNames;

/* "" forgets the distro. False for a slot or a name that cannot be one. */
bool berth_names_set(BerthNames *names, guint slot, const char *name);

/* The answer to @query, @size bytes, and its size; 0 when somebody else has to be asked.
 * @ret_bytes has room for BERTH_DNS_MADE_MAX. */
gsize berth_names_answer(const BerthNames *names, const guint8 *query, gsize size,
                         guint8 *ret_bytes);

G_END_DECLS
