/* SPDX-License-Identifier: MIT */
#include "filter.h"

#include "address.h"
#include "base/table.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define ETHERNET_SIZE 14u
#define ARP_SIZE      28u
#define IPV4_SIZE     20u
#define TCP_SIZE      20u
#define UDP_SIZE      8u
#define ICMP_SIZE     8u
#define PACKET_MAX    65535u
#define PORT_BOOTP    67u
#define PORT_TFTP     69u

static const char *const verdict_words[BERTH_FILTER_VERDICTS] = {
    [BERTH_FILTER_PASS] = "pass",         [BERTH_FILTER_MALFORMED] = "malformed",
    [BERTH_FILTER_TYPE] = "type",         [BERTH_FILTER_SOURCE] = "source",
    [BERTH_FILTER_SPOOF] = "spoof",       [BERTH_FILTER_DESTINATION] = "destination",
    [BERTH_FILTER_PROTOCOL] = "protocol", [BERTH_FILTER_FRAGMENT] = "fragment",
    [BERTH_FILTER_URGENT] = "urgent",     [BERTH_FILTER_SERVICE] = "service",
};

/* Where nothing may be sent. 10.0.2/24 less its two servers is handled apart: nobody else is there,
 * and libslirp would ask the host's own network for the address. */
static const struct {
    guint32 network;
    guint32 mask;
} closed[] = {
    {0x00000000, 0xff000000}, /* 0/8: connects to the host itself */
    {0x7f000000, 0xff000000}, /* 127/8 */
    {0xffffffff, 0xffffffff}, /* broadcast, which libslirp takes for the host's loopback */
};

/* libslirp's own stations: 52:55 and their IPv4 address. */
static const guint8 host_station[4] = {0x52, 0x55, 10, 0};

/* An IPv4 packet whose lengths have been checked. */
typedef struct {
    guint32 source;
    guint32 destination;
    guint8 protocol;
    bool fragment;
    bool first; /* fragment or not: holds the start of the payload */
    const guint8 *payload;
    gsize size; /* of payload, bytes */
} Packet;

const char *berth_filter_verdict_word(BerthFilterVerdict verdict)
{
    return berth_table_to_string(verdict_words, verdict);
}

static guint16 get_u16(const guint8 *bytes)
{
    return (guint16)(bytes[0] << 8 | bytes[1]);
}

static guint32 get_u32(const guint8 *bytes)
{
    return (guint32)get_u16(bytes) << 16 | get_u16(bytes + 2);
}

static BerthFilterVerdict check_station(const guint8 *station)
{
    static const guint8 none[6];
    if ((station[0] & 1) != 0 || memcmp(station, none, sizeof(none)) == 0)
        return BERTH_FILTER_MALFORMED; /* a group or nobody cannot send */
    if (memcmp(station, host_station, sizeof(host_station)) == 0)
        return BERTH_FILTER_SPOOF;
    return BERTH_FILTER_PASS;
}

static bool is_host(guint32 address)
{
    return address == BERTH_ADDRESS_HOST || address == BERTH_ADDRESS_DNS;
}

/* The guest speaks ARP for its own address, and for 127.0.0.1 as the target of a forward to a
 * service on its loopback. */
static BerthFilterVerdict check_arp(const guint8 *arp, gsize size, const guint8 *station)
{
    static const guint8 ethernet_and_ipv4[6] = {0, 1, 8, 0, 6, 4};
    if (size < ARP_SIZE || memcmp(arp, ethernet_and_ipv4, sizeof(ethernet_and_ipv4)) != 0)
        return BERTH_FILTER_MALFORMED;
    guint16 operation = get_u16(arp + 6);
    if (operation != 1 && operation != 2)
        return BERTH_FILTER_MALFORMED;

    if (memcmp(arp + 8, station, 6) != 0)
        return BERTH_FILTER_SPOOF;
    guint32 sender = get_u32(arp + 14);
    if (is_host(sender))
        return BERTH_FILTER_SPOOF;
    if (sender == BERTH_ADDRESS_GUEST || (sender == BERTH_ADDRESS_LOOPBACK && operation == 2))
        return BERTH_FILTER_PASS;
    return BERTH_FILTER_SOURCE;
}

static BerthFilterVerdict parse_ipv4(const guint8 *ip, gsize size, Packet *ret_packet)
{
    if (size < IPV4_SIZE || ip[0] >> 4 != 4)
        return BERTH_FILTER_MALFORMED;
    gsize header = (gsize)(ip[0] & 0x0f) * 4;
    gsize total = get_u16(ip + 2);
    if (header < IPV4_SIZE || total < header || total > size)
        return BERTH_FILTER_MALFORMED;

    guint16 fragment = get_u16(ip + 6);
    gsize offset = (gsize)(fragment & 0x1fff) * 8;
    *ret_packet = (Packet){
        .source = get_u32(ip + 12),
        .destination = get_u32(ip + 16),
        .protocol = ip[9],
        .fragment = (fragment & 0x3fff) != 0, /* an offset, or more to come */
        .first = offset == 0,
        .payload = ip + header,
        .size = total - header,
    };
    return offset + total > PACKET_MAX ? BERTH_FILTER_FRAGMENT : BERTH_FILTER_PASS;
}

static BerthFilterVerdict check_addresses(const Packet *packet)
{
    if (is_host(packet->source))
        return BERTH_FILTER_SPOOF;
    /* From the guest's loopback comes only the answer of a forwarded service. */
    bool answer = packet->source == BERTH_ADDRESS_LOOPBACK && packet->protocol == IPPROTO_TCP &&
                  packet->destination == BERTH_ADDRESS_HOST;
    if (packet->source != BERTH_ADDRESS_GUEST && !answer)
        return BERTH_FILTER_SOURCE;

    for (gsize i = 0; i < G_N_ELEMENTS(closed); i++)
        if ((packet->destination & closed[i].mask) == closed[i].network)
            return BERTH_FILTER_DESTINATION;
    bool near = (packet->destination & BERTH_ADDRESS_MASK) == BERTH_ADDRESS_NETWORK;
    return near && !is_host(packet->destination) ? BERTH_FILTER_DESTINATION : BERTH_FILTER_PASS;
}

static BerthFilterVerdict check_tcp(const Packet *packet)
{
    if (packet->fragment)
        return BERTH_FILTER_FRAGMENT;
    if (packet->size < TCP_SIZE)
        return BERTH_FILTER_MALFORMED;
    gsize header = (gsize)(packet->payload[12] >> 4) * 4;
    if (header < TCP_SIZE || header > packet->size)
        return BERTH_FILTER_MALFORMED;
    return (packet->payload[13] & 0x20) != 0 ? BERTH_FILTER_URGENT : BERTH_FILTER_PASS;
}

static BerthFilterVerdict check_udp(const Packet *packet)
{
    if (!packet->first)
        return BERTH_FILTER_PASS;
    if (packet->size < UDP_SIZE)
        return BERTH_FILTER_MALFORMED;
    gsize length = get_u16(packet->payload + 4);
    if (length < UDP_SIZE || (!packet->fragment && length > packet->size))
        return BERTH_FILTER_MALFORMED;

    guint16 port = get_u16(packet->payload + 2);
    return is_host(packet->destination) && (port == PORT_BOOTP || port == PORT_TFTP)
               ? BERTH_FILTER_SERVICE
               : BERTH_FILTER_PASS;
}

static BerthFilterVerdict check_icmp(const Packet *packet)
{
    return packet->first && packet->size < ICMP_SIZE ? BERTH_FILTER_MALFORMED : BERTH_FILTER_PASS;
}

static BerthFilterVerdict check_payload(const Packet *packet)
{
    switch (packet->protocol) {
    case IPPROTO_TCP:
        return check_tcp(packet);
    case IPPROTO_UDP:
        return check_udp(packet);
    case IPPROTO_ICMP:
        return check_icmp(packet);
    default:
        return BERTH_FILTER_PROTOCOL;
    }
}

static BerthFilterVerdict check_ipv4(const guint8 *ip, gsize size)
{
    Packet packet;
    BerthFilterVerdict verdict = parse_ipv4(ip, size, &packet);
    if (verdict == BERTH_FILTER_PASS)
        verdict = check_addresses(&packet);
    return verdict == BERTH_FILTER_PASS ? check_payload(&packet) : verdict;
}

BerthFilterVerdict berth_filter_frame(const guint8 *frame, gsize size)
{
    if (size < ETHERNET_SIZE)
        return BERTH_FILTER_MALFORMED;
    BerthFilterVerdict verdict = check_station(frame + 6);
    if (verdict != BERTH_FILTER_PASS)
        return verdict;

    const guint8 *payload = frame + ETHERNET_SIZE;
    switch (get_u16(frame + 12)) {
    case ETHERTYPE_ARP:
        return check_arp(payload, size - ETHERNET_SIZE, frame + 6);
    case ETHERTYPE_IP:
        return check_ipv4(payload, size - ETHERNET_SIZE);
    default:
        return BERTH_FILTER_TYPE;
    }
}
