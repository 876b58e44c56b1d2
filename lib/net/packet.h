/* SPDX-License-Identifier: MIT
 *
 * packet — an IPv4 or IPv6 packet in a frame, as far as others have to look at it.
 *
 * Pure: no state, no allocation, never reads outside the frame. What is returned points into it.
 */
#pragma once

#include "bytes.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_ETHERNET_SIZE 14u

typedef struct {
    guint8 family;             /* 4 or 6 */
    guint8 protocol;           /* of IPv6: its next header, whatever that is */
    gsize address_size;        /* 4 or 16 */
    const guint8 *source;      /* network order */
    const guint8 *destination; /* network order */
    const guint8 *header;      /* of IP */
    gsize header_size;
    gsize offset;  /* of a fragment in the whole packet's payload */
    bool fragment; /* of IPv4; those of IPv6 are a next header */
    bool first;    /* fragment or not: holds the start of the payload */
    const guint8 *payload;
    gsize size; /* of payload, bytes */
} BerthPacket;

/* The packet in an Ethernet frame; false when there is none whose lengths fit. */
bool berth_packet_read(const guint8 *frame, gsize size, BerthPacket *ret_packet);

G_END_DECLS
