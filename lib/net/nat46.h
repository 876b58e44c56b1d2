/* SPDX-License-Identifier: MIT
 *
 * nat46 — translates TCP segments between IPv4 and IPv6 frames (RFC 7915, TCP only), so that
 * libslirp can connect to an IPv6 host for a guest that speaks IPv4.
 *
 * Drops IPv4 options. Preserves wrong checksums as wrong. Checks all lengths. IPv4 addresses in
 * host byte order; IPv6 addresses are 16 bytes in network order. No allocation, no I/O.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_NAT46_GROWTH 20u /* of a frame, at most */

/* Translate @frame in place; it has room for BERTH_NAT46_GROWTH more bytes. Returns the new size,
 * or 0 when it is a fragment or incomplete. */
gsize berth_nat46_to_v6(guint8 *frame, gsize size, const guint8 *source, const guint8 *destination);

/* Translate @frame, which has no extension headers, into @copy. Returns the new size; 0 as
 * above. */
gsize berth_nat46_to_v4(const guint8 *frame, gsize size, guint32 source, guint32 destination,
                        guint8 *copy);

G_END_DECLS
