/* SPDX-License-Identifier: MIT */
#include "nat46.h"

#include "bytes.h"
#include "packet.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define ETHERNET_SIZE   BERTH_ETHERNET_SIZE
#define IPV4_SIZE       20u
#define IPV4_ADDRESSES  12u /* source and destination */
#define IPV4_SUM        10u
#define IPV6_SIZE       40u
#define IPV6_ADDRESSES  8u
#define TCP_SIZE        20u
#define TCP_SUM         16u
#define HOPS            64u
#define DO_NOT_FRAGMENT 0x4000u

G_STATIC_ASSERT(BERTH_NAT46_GROWTH == IPV6_SIZE - IPV4_SIZE);

/* Only the addresses differ in the pseudo header: protocol and length are the same. */
static void exchange_addresses(guint8 *tcp, guint32 before, guint32 after)
{
    guint32 sum = (guint16)~berth_bytes_get_u16(tcp + TCP_SUM);
    sum += (guint16)~berth_bytes_fold(before);
    sum += berth_bytes_fold(after);
    berth_bytes_put_u16(tcp + TCP_SUM, (guint16)~berth_bytes_fold(sum));
}

/* The size of the TCP segment, 0 when @frame does not hold a whole one. */
static gsize segment_size(const guint8 *frame, gsize size, guint family, BerthPacket *ret_packet)
{
    if (!berth_packet_read(frame, size, ret_packet) || ret_packet->family != family ||
        ret_packet->protocol != IPPROTO_TCP || ret_packet->fragment || ret_packet->size < TCP_SIZE)
        return 0;
    return ret_packet->size;
}

gsize berth_nat46_to_v6(guint8 *frame, gsize size, const guint8 *source, const guint8 *destination)
{
    BerthPacket packet;
    gsize length = segment_size(frame, size, 4, &packet);
    if (length == 0)
        return 0;
    guint8 *ip = frame + ETHERNET_SIZE, *tcp = ip + IPV6_SIZE;
    guint32 before = berth_bytes_sum(0, ip + IPV4_ADDRESSES, 8);
    memmove(tcp, packet.payload, length);
    memset(ip, 0, IPV6_SIZE);
    berth_bytes_put_u16(frame + 12, ETHERTYPE_IPV6);
    ip[0] = 0x60;
    berth_bytes_put_u16(ip + 4, (guint)length);
    ip[6] = IPPROTO_TCP;
    ip[7] = HOPS;
    memcpy(ip + IPV6_ADDRESSES, source, 16);
    memcpy(ip + IPV6_ADDRESSES + 16, destination, 16);
    exchange_addresses(tcp, before, berth_bytes_sum(0, ip + IPV6_ADDRESSES, 32));
    return ETHERNET_SIZE + IPV6_SIZE + length;
}

gsize berth_nat46_to_v4(const guint8 *frame, gsize size, guint32 source, guint32 destination,
                        guint8 *copy)
{
    BerthPacket packet;
    gsize length = segment_size(frame, size, 6, &packet);
    if (length == 0 || length > G_MAXUINT16 - IPV4_SIZE)
        return 0;
    guint8 *ip = copy + ETHERNET_SIZE, *tcp = ip + IPV4_SIZE;
    memcpy(copy, frame, ETHERNET_SIZE);
    memset(ip, 0, IPV4_SIZE);
    berth_bytes_put_u16(copy + 12, ETHERTYPE_IP);
    ip[0] = 0x45;
    berth_bytes_put_u16(ip + 2, (guint)(IPV4_SIZE + length));
    berth_bytes_put_u16(ip + 6, DO_NOT_FRAGMENT);
    ip[8] = HOPS;
    ip[9] = IPPROTO_TCP;
    berth_bytes_put_u32(ip + IPV4_ADDRESSES, source);
    berth_bytes_put_u32(ip + IPV4_ADDRESSES + 4, destination);
    berth_bytes_put_u16(ip + IPV4_SUM,
                        (guint16)~berth_bytes_fold(berth_bytes_sum(0, ip, IPV4_SIZE)));
    memcpy(tcp, packet.payload, length);
    exchange_addresses(tcp, berth_bytes_sum(0, frame + ETHERNET_SIZE + IPV6_ADDRESSES, 32),
                       berth_bytes_sum(0, ip + IPV4_ADDRESSES, 8));
    return ETHERNET_SIZE + IPV4_SIZE + length;
}
