/* SPDX-License-Identifier: MIT
 *
 * datagram — a UDP datagram of the guest's to one of our addresses, taken out of its frame, and the
 * frame of an answer. IPv4 and IPv6.
 *
 * Pure. Lengths are not taken on trust; no fragments and no IPv6 extension headers. Checksums of
 * the guest's are not looked at: between it and us there is only memory.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DATAGRAM_HEADERS_MAX (14u + 40u + 8u)

/* Both ends; what an answer needs. Addresses in network order, of IPv4 the first four bytes. */
typedef struct {
    guint8 guest_station[6];
    guint8 our_station[6];
    guint8 family; /* 4 or 6 */
    guint8 zero;
    guint16 guest_port;
    guint16 our_port;
    guint8 guest[16];
    guint8 ours[16];
} BerthDatagramEnds;

typedef struct {
    BerthDatagramEnds ends;
    const guint8 *data; /* in the frame */
    gsize size;
} BerthDatagram;

/* False when @frame is no UDP datagram, or one in pieces. */
bool berth_datagram_parse(const guint8 *frame, gsize size, BerthDatagram *ret_datagram);

/* How large an answer may be that fits an interface with @mtu. */
gsize berth_datagram_room(const BerthDatagramEnds *ends, guint mtu);

/* The frame of an answer, its size. @ret_frame has room for @size and BERTH_DATAGRAM_HEADERS_MAX.
 */
gsize berth_datagram_answer(const BerthDatagramEnds *ends, const guint8 *data, gsize size,
                            guint8 *ret_frame);

G_END_DECLS
