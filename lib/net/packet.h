/* SPDX-License-Identifier: MIT
 *
 * packet — parses the IPv4 or IPv6 packet in an Ethernet frame.
 *
 * Pure: no state, no allocation, never reads outside the frame. Results point into the frame.
 */
#pragma once

#include "bytes.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_ETHERNET_SIZE 14u

typedef struct {
    guint8 family;             /* 4 or 6 */
    guint8 protocol;           /* for IPv6: the next header, whatever it is */
    gsize address_size;        /* 4 or 16 */
    const guint8 *source;      /* network order */
    const guint8 *destination; /* network order */
    const guint8 *header;      /* IP header */
    gsize header_size;
    gsize offset;  /* of a fragment in the whole payload */
    bool fragment; /* IPv4 only; an IPv6 fragment is a next header */
    bool first;    /* holds the start of the payload, fragment or not */
    const guint8 *payload;
    gsize size; /* of payload, bytes */
} BerthPacket;

/* False when the lengths are inconsistent or it is not IP. */
bool berth_packet_read(const guint8 *frame, gsize size, BerthPacket *ret_packet);

G_END_DECLS
