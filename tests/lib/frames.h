/* SPDX-License-Identifier: MIT
 *
 * frames — builds Ethernet frames with IPv4 packets, and verifies checksums of received ones.
 */
#pragma once

#include "packets.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static const guint8 guest_station[6] = {0x52, 0x54, 0, 1, 2, 3};
static const guint8 gateway_station[6] = {0x52, 0x55, 10, 0, 2, 2};

typedef struct {
    guint8 protocol; /* TCP or UDP */
    guint8 flags;    /* of TCP */
    guint32 source, destination;
    guint16 source_port, destination_port;
    guint32 sequence, acknowledged;
} Flow;

static inline guint16 transport_sum(const guint8 *ip, const guint8 *payload, gsize size)
{
    return fold(sum(sum(0, ip + 12, 8) + ip[9] + (guint32)size, payload, size));
}

static inline void put_ipv4(guint8 *frame, const Flow *flow, gsize payload_size)
{
    guint8 *ip = frame + 14;
    memset(frame, 0, 34);
    memcpy(frame, gateway_station, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(frame + 12, 0x0800);
    ip[0] = 0x45;
    put_u16(ip + 2, (guint)(20 + payload_size));
    ip[8] = 64;
    ip[9] = flow->protocol;
    put_u32(ip + 12, flow->source);
    put_u32(ip + 16, flow->destination);
    put_u16(ip + 10, fold(sum(0, ip, 20)));
}

/* Returns the size of the frame. */
static inline gsize make_frame(guint8 *frame, const Flow *flow, const void *data, gsize size)
{
    gsize header = flow->protocol == IPPROTO_TCP ? 20 : 8;
    guint8 *payload = frame + 34;
    put_ipv4(frame, flow, header + size);
    memset(payload, 0, header);
    if (size > 0)
        memcpy(payload + header, data, size);
    put_u16(payload, flow->source_port);
    put_u16(payload + 2, flow->destination_port);
    if (flow->protocol == IPPROTO_TCP) {
        put_u32(payload + 4, flow->sequence);
        put_u32(payload + 8, flow->acknowledged);
        payload[12] = 0x50;
        payload[13] = flow->flags;
        put_u16(payload + 14, 65535);
    } else {
        put_u16(payload + 4, (guint)(8 + size));
    }
    guint16 checksum = transport_sum(frame + 14, payload, header + size);
    if (flow->protocol == IPPROTO_UDP && checksum == 0)
        checksum = 0xffff; /* zero means no checksum: RFC 768 */
    put_u16(payload + (flow->protocol == IPPROTO_TCP ? 16 : 6), checksum);
    return 34 + header + size;
}

/* The guest's ARP request for the station of @target. Returns its size. */
static inline gsize make_arp_question(guint8 *frame, guint32 guest, guint32 target)
{
    static const guint8 head[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    memset(frame, 0, 42);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(frame + 12, 0x0806);
    memcpy(frame + 14, head, sizeof(head));
    memcpy(frame + 22, guest_station, 6);
    put_u32(frame + 28, guest);
    put_u32(frame + 38, target);
    return 42;
}

/* Turn @frame, an ARP request, into the reply of a guest with @address. Returns its size. */
static inline gsize make_arp_answer(guint8 *frame, guint32 address)
{
    guint32 asker = get_u32(frame + 28);
    memcpy(frame + 32, frame + 22, 6);
    put_u32(frame + 38, asker);
    put_u16(frame + 20, 2);
    memcpy(frame + 22, guest_station, 6);
    put_u32(frame + 28, address);
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, guest_station, 6);
    return 42;
}

static inline bool checksums_are_right(const guint8 *frame)
{
    const guint8 *ip = frame + 14;
    return fold(sum(0, ip, 20)) == 0 &&
           transport_sum(ip, ip + 20, (gsize)get_u16(ip + 2) - 20) == 0;
}
