/* SPDX-License-Identifier: MIT
 *
 * nat46 — a TCP segment in a frame of IPv4 made one of IPv6, and back (RFC 7915, as far as TCP
 * goes), for a connection that libslirp is to make by IPv6 for a guest that made it by IPv4.
 *
 * Options of IPv4 are left out. A checksum that is wrong stays wrong. Lengths are not taken on
 * trust. Addresses of IPv4 in host byte order, of IPv6 16 bytes in network order. No allocation, no
 * I/O.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_NAT46_GROWTH 20u /* of a frame, at most */

/* Change @frame, which has room for so much more. Its new size, or 0 when it is none that can be
 * changed: a fragment, or not whole. */
gsize berth_nat46_to_v6(guint8 *frame, gsize size, const guint8 *source, const guint8 *destination);

/* The size of @copy, made of @frame, which has no extension headers; 0 as above. */
gsize berth_nat46_to_v4(const guint8 *frame, gsize size, guint32 source, guint32 destination,
                        guint8 *copy);

G_END_DECLS
