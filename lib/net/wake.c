/* SPDX-License-Identifier: MIT */
#include "wake.h"

#include "packet.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define ARP_SIZE    28u
#define ARP_REQUEST 1u
#define TCP_SIZE    20u

/* An announcement, whose sender and target are the same, requests nothing. */
static bool is_arp_request(const guint8 *arp, gsize size)
{
    return size >= ARP_SIZE && berth_bytes_get_u16(arp + 6) == ARP_REQUEST &&
           berth_bytes_get_u32(arp + 14) != berth_bytes_get_u32(arp + 24);
}

static bool segment_wakes(const BerthPacket *packet)
{
    if (packet->size < TCP_SIZE)
        return false;
    guint8 flags = packet->payload[13];
    gsize header = (gsize)(packet->payload[12] >> 4) * 4;
    if ((flags & TH_RST) != 0)
        return false;
    return (flags & (TH_SYN | TH_FIN)) != 0 || packet->size > header;
}

static bool packet_wakes(const BerthPacket *packet)
{
    switch (packet->protocol) {
    case IPPROTO_TCP:
        return !packet->first || segment_wakes(packet);
    case IPPROTO_UDP:
        return true;
    case IPPROTO_ICMPV6:
        return packet->family == 6 && packet->size > 0 && packet->payload[0] == ND_NEIGHBOR_SOLICIT;
    default:
        return false;
    }
}

bool berth_wake_frame(const guint8 *frame, gsize size)
{
    BerthPacket packet;
    if (size < BERTH_ETHERNET_SIZE)
        return false;
    if (berth_bytes_get_u16(frame + 12) == ETHERTYPE_ARP)
        return is_arp_request(frame + BERTH_ETHERNET_SIZE, size - BERTH_ETHERNET_SIZE);
    return berth_packet_read(frame, size, &packet) && packet_wakes(&packet);
}
