/* SPDX-License-Identifier: MIT */
#include "datagram.h"

#include "bytes.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define ETHERNET_SIZE 14u
#define IPV4_SIZE     20u
#define IPV6_SIZE     40u
#define UDP_SIZE      8u
#define TTL           64u

/* @udp follows the IP header. */
static bool parse_udp(const guint8 *udp, gsize size, BerthDatagram *datagram)
{
    if (size < UDP_SIZE)
        return false;
    gsize length = berth_bytes_get_u16(udp + 4);
    if (length < UDP_SIZE || length > size)
        return false;
    datagram->ends.guest_port = berth_bytes_get_u16(udp);
    datagram->ends.our_port = berth_bytes_get_u16(udp + 2);
    datagram->data = udp + UDP_SIZE;
    datagram->size = length - UDP_SIZE;
    return true;
}

static bool parse_ipv4(const guint8 *ip, gsize size, BerthDatagram *datagram)
{
    if (size < IPV4_SIZE || ip[0] >> 4 != 4 || ip[9] != IPPROTO_UDP)
        return false;
    gsize header = (gsize)(ip[0] & 0x0f) * 4;
    gsize total = berth_bytes_get_u16(ip + 2);
    if (header < IPV4_SIZE || total < header || total > size)
        return false;
    if ((berth_bytes_get_u16(ip + 6) & 0x3fff) != 0)
        return false; /* a fragment */
    datagram->ends.family = 4;
    memcpy(datagram->ends.guest, ip + 12, 4);
    memcpy(datagram->ends.ours, ip + 16, 4);
    return parse_udp(ip + header, total - header, datagram);
}

static bool parse_ipv6(const guint8 *ip, gsize size, BerthDatagram *datagram)
{
    if (size < IPV6_SIZE || ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP)
        return false;
    gsize length = berth_bytes_get_u16(ip + 4);
    if (length > size - IPV6_SIZE)
        return false;
    datagram->ends.family = 6;
    memcpy(datagram->ends.guest, ip + 8, 16);
    memcpy(datagram->ends.ours, ip + 24, 16);
    return parse_udp(ip + IPV6_SIZE, length, datagram);
}

bool berth_datagram_parse(const guint8 *frame, gsize size, BerthDatagram *ret_datagram)
{
    *ret_datagram = (BerthDatagram){0};
    if (size < ETHERNET_SIZE)
        return false;
    memcpy(ret_datagram->ends.our_station, frame, 6);
    memcpy(ret_datagram->ends.guest_station, frame + 6, 6);
    const guint8 *ip = frame + ETHERNET_SIZE;
    switch (berth_bytes_get_u16(frame + 12)) {
    case ETHERTYPE_IP:
        return parse_ipv4(ip, size - ETHERNET_SIZE, ret_datagram);
    case ETHERTYPE_IPV6:
        return parse_ipv6(ip, size - ETHERNET_SIZE, ret_datagram);
    default:
        return false;
    }
}

static gsize ip_size(const BerthDatagramEnds *ends)
{
    return ends->family == 4 ? IPV4_SIZE : IPV6_SIZE;
}

gsize berth_datagram_room(const BerthDatagramEnds *ends, guint mtu)
{
    gsize headers = ip_size(ends) + UDP_SIZE;
    return mtu > headers ? mtu - headers : 0;
}

static void put_ipv4(const BerthDatagramEnds *ends, gsize payload, guint8 *ip)
{
    ip[0] = 0x45;
    berth_bytes_put_u16(ip + 2, (guint)(IPV4_SIZE + payload));
    berth_bytes_put_u16(ip + 6, 0x4000); /* DF, offset 0 */
    ip[8] = TTL;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, ends->ours, 4);
    memcpy(ip + 16, ends->guest, 4);
    berth_bytes_put_u16(ip + 10, (guint16)~berth_bytes_fold(berth_bytes_sum(0, ip, IPV4_SIZE)));
}

static void put_ipv6(const BerthDatagramEnds *ends, gsize payload, guint8 *ip)
{
    ip[0] = 0x60;
    berth_bytes_put_u16(ip + 4, (guint)payload);
    ip[6] = IPPROTO_UDP;
    ip[7] = TTL;
    memcpy(ip + 8, ends->ours, 16);
    memcpy(ip + 24, ends->guest, 16);
}

/* The checksum also covers addresses and payload, which must be in place. */
static void put_udp(const BerthDatagramEnds *ends, gsize length, guint8 *udp)
{
    gsize address = ends->family == 4 ? 4 : 16;
    berth_bytes_put_u16(udp, ends->our_port);
    berth_bytes_put_u16(udp + 2, ends->guest_port);
    berth_bytes_put_u16(udp + 4, (guint)length);
    guint32 sum = berth_bytes_sum(berth_bytes_sum(0, ends->ours, address), ends->guest, address);
    sum += IPPROTO_UDP + (guint32)length;
    guint16 checksum = (guint16)~berth_bytes_fold(berth_bytes_sum(sum, udp, length));
    berth_bytes_put_u16(udp + 6, checksum != 0 ? checksum : 0xffff);
}

gsize berth_datagram_answer(const BerthDatagramEnds *ends, const guint8 *data, gsize size,
                            guint8 *ret_frame)
{
    gsize header = ip_size(ends);
    guint8 *ip = ret_frame + ETHERNET_SIZE;
    guint8 *udp = ip + header;
    memset(ret_frame, 0, ETHERNET_SIZE + header + UDP_SIZE);
    memcpy(ret_frame, ends->guest_station, 6);
    memcpy(ret_frame + 6, ends->our_station, 6);
    berth_bytes_put_u16(ret_frame + 12, ends->family == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
    memcpy(udp + UDP_SIZE, data, size);
    if (ends->family == 4)
        put_ipv4(ends, UDP_SIZE + size, ip);
    else
        put_ipv6(ends, UDP_SIZE + size, ip);
    put_udp(ends, UDP_SIZE + size, udp);
    return ETHERNET_SIZE + header + UDP_SIZE + size;
}
