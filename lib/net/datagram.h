/* SPDX-License-Identifier: MIT
 *
 * datagram — parses a UDP datagram from the guest to one of our addresses, and builds the frame of
 * its answer. IPv4 and IPv6.
 *
 * Pure. All lengths are checked; fragments and IPv6 extension headers are refused. The guest's
 * checksums are not verified: frames only cross shared memory.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DATAGRAM_HEADERS_MAX (14u + 40u + 8u)

/* Both ends of an exchange. Addresses in network order, IPv4 in the first four bytes. */
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
    const guint8 *data; /* points into the frame */
    gsize size;
} BerthDatagram;

/* False when @frame is not a whole UDP datagram. */
bool berth_datagram_parse(const guint8 *frame, gsize size, BerthDatagram *ret_datagram);

/* The largest payload of an answer that fits @mtu. */
gsize berth_datagram_room(const BerthDatagramEnds *ends, guint mtu);

/* Build an answer's frame; returns its size. @ret_frame has room for @size +
 * BERTH_DATAGRAM_HEADERS_MAX. */
gsize berth_datagram_answer(const BerthDatagramEnds *ends, const guint8 *data, gsize size,
                            guint8 *ret_frame);

G_END_DECLS
