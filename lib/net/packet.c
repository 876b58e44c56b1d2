/* SPDX-License-Identifier: MIT */
#include "packet.h"

#include <net/ethernet.h>
#include <string.h>

#define IPV4_SIZE 20u
#define IPV6_SIZE 40u

static bool read_ipv4(const guint8 *ip, gsize size, BerthPacket *ret_packet)
{
    if (size < IPV4_SIZE || ip[0] >> 4 != 4)
        return false;
    gsize header = (gsize)(ip[0] & 0x0f) * 4;
    gsize total = berth_bytes_get_u16(ip + 2);
    if (header < IPV4_SIZE || total < header || total > size)
        return false;

    guint16 fragment = berth_bytes_get_u16(ip + 6);
    *ret_packet = (BerthPacket){
        .family = 4,
        .protocol = ip[9],
        .address_size = 4,
        .source = ip + 12,
        .destination = ip + 16,
        .header = ip,
        .header_size = header,
        .offset = (gsize)(fragment & 0x1fff) * 8,
        .fragment = (fragment & 0x3fff) != 0, /* an offset, or more fragments follow */
        .first = (fragment & 0x1fff) == 0,
        .payload = ip + header,
        .size = total - header,
    };
    return true;
}

static bool read_ipv6(const guint8 *ip, gsize size, BerthPacket *ret_packet)
{
    if (size < IPV6_SIZE || ip[0] >> 4 != 6)
        return false;
    gsize length = berth_bytes_get_u16(ip + 4);
    if (length > size - IPV6_SIZE)
        return false;

    *ret_packet = (BerthPacket){
        .family = 6,
        .protocol = ip[6],
        .address_size = 16,
        .source = ip + 8,
        .destination = ip + 24,
        .header = ip,
        .header_size = IPV6_SIZE,
        .first = true,
        .payload = ip + IPV6_SIZE,
        .size = length,
    };
    return true;
}

bool berth_packet_read(const guint8 *frame, gsize size, BerthPacket *ret_packet)
{
    if (size < BERTH_ETHERNET_SIZE)
        return false;
    const guint8 *ip = frame + BERTH_ETHERNET_SIZE;
    guint type = berth_bytes_get_u16(frame + 12);
    if (type == ETHERTYPE_IP)
        return read_ipv4(ip, size - BERTH_ETHERNET_SIZE, ret_packet);
    return type == ETHERTYPE_IPV6 && read_ipv6(ip, size - BERTH_ETHERNET_SIZE, ret_packet);
}
