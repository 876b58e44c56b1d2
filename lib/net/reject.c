/* SPDX-License-Identifier: MIT */
#include "reject.h"

#include "packet.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#define TCP_SIZE   20u
#define ICMP_SIZE  8u
#define QUOTE_SIZE 8u /* of the payload, enough for the ports */
#define HOPS       64u

static const struct {
    guint8 code_v4, code_v6;
} codes[] = {
    [BERTH_REJECT_PORT] = {ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT},
    [BERTH_REJECT_POLICY] = {ICMP_PKT_FILTERED, ICMP6_DST_UNREACH_ADMIN},
};

static guint16 checksum(guint32 sum)
{
    return (guint16)~berth_bytes_fold(sum);
}

/* Write Ethernet and IP headers of a reply to @packet with @size bytes of payload; returns where
 * the payload goes. */
static guint8 *put_headers(guint8 *answer, const guint8 *frame, const BerthPacket *packet,
                           guint8 protocol, gsize size)
{
    memcpy(answer, frame + 6, 6);
    memcpy(answer + 6, frame, 6);
    memcpy(answer + 12, frame + 12, 2);
    guint8 *ip = answer + BERTH_ETHERNET_SIZE;
    if (packet->family == 6) {
        ip[0] = 0x60;
        berth_bytes_put_u16(ip + 4, (guint)size);
        ip[6] = protocol;
        ip[7] = HOPS;
        memcpy(ip + 8, packet->destination, 16);
        memcpy(ip + 24, packet->source, 16);
        return ip + 40;
    }
    ip[0] = 0x45;
    berth_bytes_put_u16(ip + 2, (guint)(20 + size));
    ip[8] = HOPS;
    ip[9] = protocol;
    memcpy(ip + 12, packet->destination, 4);
    memcpy(ip + 16, packet->source, 4);
    berth_bytes_put_u16(ip + 10, checksum(berth_bytes_sum(0, ip, 20)));
    return ip + 20;
}

/* Sum of addresses, protocol and length; source and destination may be swapped. */
static guint32 pseudo_header(const BerthPacket *packet, guint8 protocol, gsize size)
{
    guint32 total = berth_bytes_sum(protocol + (guint32)size, packet->source, packet->address_size);
    return berth_bytes_sum(total, packet->destination, packet->address_size);
}

static gsize reset(const guint8 *frame, const BerthPacket *packet, guint8 *answer)
{
    if (packet->size < TCP_SIZE)
        return 0;
    const guint8 *theirs = packet->payload;
    guint8 flags = theirs[13];
    gsize header = (gsize)(theirs[12] >> 4) * 4;
    if ((flags & (TH_SYN | TH_ACK | TH_RST)) != TH_SYN || header > packet->size)
        return 0;

    guint8 *tcp = put_headers(answer, frame, packet, IPPROTO_TCP, TCP_SIZE);
    guint32 sequence_length =
        (guint32)(packet->size - header) + 1 + ((flags & TH_FIN) != 0 ? 1 : 0);
    memcpy(tcp, theirs + 2, 2);
    memcpy(tcp + 2, theirs, 2);
    berth_bytes_put_u32(tcp + 8, berth_bytes_get_u32(theirs + 4) + sequence_length);
    tcp[12] = TCP_SIZE / 4 << 4;
    tcp[13] = TH_RST | TH_ACK;
    berth_bytes_put_u16(
        tcp + 16,
        checksum(berth_bytes_sum(pseudo_header(packet, IPPROTO_TCP, TCP_SIZE), tcp, TCP_SIZE)));
    return (gsize)(tcp - answer) + TCP_SIZE;
}

/* ICMP "unreachable", quoting the start of the packet. */
static gsize unreachable(const guint8 *frame, const BerthPacket *packet, BerthRejectReason reason,
                         guint8 *answer)
{
    gsize header = packet->family == 4 ? 20 : 40; /* without IPv4 options */
    gsize quote = MIN(packet->size, QUOTE_SIZE);
    gsize size = ICMP_SIZE + header + quote;
    guint8 protocol = packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    guint8 *icmp = put_headers(answer, frame, packet, protocol, size);
    icmp[0] = packet->family == 4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
    icmp[1] = packet->family == 4 ? codes[reason].code_v4 : codes[reason].code_v6;
    memcpy(icmp + ICMP_SIZE, packet->header, header);
    if (packet->family == 4)
        icmp[ICMP_SIZE] = 0x45;
    memcpy(icmp + ICMP_SIZE + header, packet->payload, quote);
    guint32 total = packet->family == 6 ? pseudo_header(packet, protocol, size) : 0;
    berth_bytes_put_u16(icmp + 2, checksum(berth_bytes_sum(total, icmp, size)));
    return (gsize)(icmp - answer) + size;
}

static bool is_echo_request(const BerthPacket *packet)
{
    if (packet->size == 0)
        return false;
    return packet->family == 4
               ? packet->protocol == IPPROTO_ICMP && packet->payload[0] == ICMP_ECHO
               : packet->protocol == IPPROTO_ICMPV6 && packet->payload[0] == ICMP6_ECHO_REQUEST;
}

gsize berth_reject_frame(const guint8 *frame, gsize size, BerthRejectReason reason,
                         guint8 ret_answer[BERTH_REJECT_MAX])
{
    BerthPacket packet;
    if (!berth_packet_read(frame, size, &packet) || !packet.first)
        return 0;
    memset(ret_answer, 0, BERTH_REJECT_MAX);
    if (packet.protocol == IPPROTO_TCP)
        return reset(frame, &packet, ret_answer);
    if (packet.protocol != IPPROTO_UDP && !is_echo_request(&packet))
        return 0;
    return unreachable(frame, &packet, reason, ret_answer);
}
