/* SPDX-License-Identifier: MIT */
#include "filter.h"

#include "address.h"
#include "packet.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#define ARP_SIZE     28u
#define TCP_SIZE     20u
#define UDP_SIZE     8u
#define ICMP_SIZE    8u
#define NDP_SIZE     24u /* of a solicitation or an advertisement, without options */
#define PACKET_MAX   65535u
#define PORT_BOOTP   67u
#define PORT_TFTP    69u
#define PORT_DHCPV6  547u
#define PORT_DNS     53u
#define PREFIX6_BITS 64u

/* Refused destinations. 10.0.2/24 is handled separately: only its two servers exist, and libslirp
 * would forward other addresses to the host's network. */
static const struct {
    guint8 network[4];
    guint8 bits;
} closed_v4[] = {
    {{0, 0, 0, 0}, 8},          /* connects to the host itself */
    {{127, 0, 0, 0}, 8},        /* the host's loopback */
    {{198, 19, 255, 0}, 32},    /* 198.19.255/24 is for distros; */
    {{198, 19, 255, 255}, 32},  /* these two are unassigned */
    {{255, 255, 255, 255}, 32}, /* libslirp maps it to the host's loopback */
};

/* Refused IPv6 destinations; multicast and link-local addresses are handled separately. */
static const struct {
    guint8 network[16];
    guint8 bits;
} closed_v6[] = {
    {{0}, 96},                        /* ::, ::1, and IPv4-compatible addresses */
    {{[10] = 0xff, [11] = 0xff}, 96}, /* IPv4-mapped: aliases 127.0.0.1 and all of IPv4 */
    {{[8] = 0xff, [9] = 0xff}, 96},   /* IPv4-translated (RFC 7915) */
    {{0xfe, 0xc0}, 10},               /* site-local, the default of QEMU and libslirp */
};

static const guint8 link_local[16] = {0xfe, 0x80};  /* /10 */
static const guint8 all_on_link[16] = {0xff, 0x02}; /* /16 */
static const guint8 unspecified[16];

/* Solicited-node multicast addresses, /104 (RFC 4291, 2.7.1). */
static const guint8 solicited[16] = {0xff, 0x02, [11] = 1, [12] = 0xff};

/* libslirp's own MAC addresses: 52:55 and the IPv4 address. */
static const guint8 host_station[4] = {0x52, 0x55, 10, 0};

static BerthFilterVerdict check_station(const guint8 *station)
{
    static const guint8 none[6];
    if ((station[0] & 1) != 0 || memcmp(station, none, sizeof(none)) == 0)
        return BERTH_FILTER_MALFORMED; /* multicast or all-zero source */
    if (memcmp(station, host_station, sizeof(host_station)) == 0)
        return BERTH_FILTER_SPOOF;
    return BERTH_FILTER_PASS;
}

static bool is_host(guint32 address)
{
    return address == BERTH_ADDRESS_HOST || address == BERTH_ADDRESS_DNS;
}

static BerthFilterVerdict check_arp(const guint8 *arp, gsize size, const guint8 *station)
{
    static const guint8 ethernet_and_ipv4[6] = {0, 1, 8, 0, 6, 4};
    if (size < ARP_SIZE || memcmp(arp, ethernet_and_ipv4, sizeof(ethernet_and_ipv4)) != 0)
        return BERTH_FILTER_MALFORMED;
    guint16 operation = berth_bytes_get_u16(arp + 6);
    if (operation != 1 && operation != 2)
        return BERTH_FILTER_MALFORMED;

    if (memcmp(arp + 8, station, 6) != 0)
        return BERTH_FILTER_SPOOF;
    guint32 sender = berth_bytes_get_u32(arp + 14);
    if (is_host(sender))
        return BERTH_FILTER_SPOOF;
    bool guest = sender == BERTH_ADDRESS_GUEST || sender == BERTH_ADDRESS_PROXIES;
    return guest ? BERTH_FILTER_PASS : BERTH_FILTER_SOURCE;
}

/* The agent's proxies never open connections. */
static bool is_tcp_answer(const BerthPacket *packet)
{
    return packet->protocol == IPPROTO_TCP && packet->size >= TCP_SIZE &&
           (packet->payload[13] & (TH_SYN | TH_ACK)) != TH_SYN;
}

static BerthFilterVerdict check_addresses_v4(const BerthPacket *packet)
{
    guint32 source = berth_bytes_get_u32(packet->source);
    guint32 destination = berth_bytes_get_u32(packet->destination);
    if (is_host(source))
        return BERTH_FILTER_SPOOF;
    bool proxy = source == BERTH_ADDRESS_PROXIES && is_tcp_answer(packet);
    if (source != BERTH_ADDRESS_GUEST && !proxy)
        return BERTH_FILTER_SOURCE;

    for (gsize i = 0; i < G_N_ELEMENTS(closed_v4); i++)
        if (berth_access_same_network(packet->destination, closed_v4[i].network, closed_v4[i].bits))
            return BERTH_FILTER_DESTINATION;
    bool near = (destination & BERTH_ADDRESS_MASK) == BERTH_ADDRESS_NETWORK;
    return near && !is_host(destination) ? BERTH_FILTER_DESTINATION : BERTH_FILTER_PASS;
}

/* The host part of @address in the network of @prefix, or 0 when it is not a single byte. */
static guint8 host_part_in(const guint8 *prefix, const guint8 *address)
{
    static const guint8 none[7];
    bool in = memcmp(address, prefix, PREFIX6_BITS / 8) == 0 &&
              memcmp(address + PREFIX6_BITS / 8, none, sizeof(none)) == 0;
    return in ? address[15] : 0;
}

static bool is_host6(const guint8 *prefix, const guint8 *address)
{
    guint8 host_part = host_part_in(prefix, address);
    return host_part == BERTH_ADDRESS6_HOST || host_part == BERTH_ADDRESS6_DNS;
}

/* Whether it is a neighbour solicitation or advertisement. The guest needs no other neighbour
 * discovery: berth configures its address and router. */
static bool is_neighbour_discovery(const BerthPacket *packet)
{
    return packet->protocol == IPPROTO_ICMPV6 && packet->size >= NDP_SIZE &&
           (packet->payload[0] == ND_NEIGHBOR_SOLICIT || packet->payload[0] == ND_NEIGHBOR_ADVERT);
}

static BerthFilterVerdict check_source_v6(const BerthFilter *filter, const BerthPacket *packet)
{
    const guint8 *source = packet->source;
    if (is_host6(filter->prefix6, source) || is_host6(link_local, source))
        return BERTH_FILTER_SPOOF;
    guint8 host_part = host_part_in(filter->prefix6, source);
    bool proxy = host_part == BERTH_ADDRESS6_PROXIES;
    if (host_part == BERTH_ADDRESS6_GUEST || (proxy && is_tcp_answer(packet)))
        return BERTH_FILTER_PASS;
    if (!is_neighbour_discovery(packet))
        return BERTH_FILTER_SOURCE;
    if (proxy)
        return BERTH_FILTER_PASS;
    if (berth_access_same_network(source, link_local, 10))
        return BERTH_FILTER_PASS;
    /* Duplicate address detection uses the unspecified source. */
    bool looks = packet->payload[0] == ND_NEIGHBOR_SOLICIT &&
                 memcmp(source, unspecified, sizeof(unspecified)) == 0 &&
                 berth_access_same_network(packet->destination, solicited, 104);
    return looks ? BERTH_FILTER_PASS : BERTH_FILTER_SOURCE;
}

static BerthFilterVerdict check_destination_v6(const BerthFilter *filter, const BerthPacket *packet)
{
    const guint8 *destination = packet->destination;
    bool open = true;
    for (gsize i = 0; open && i < G_N_ELEMENTS(closed_v6); i++)
        open = !berth_access_same_network(destination, closed_v6[i].network, closed_v6[i].bits);
    if (berth_access_same_network(destination, filter->prefix6, PREFIX6_BITS))
        open = is_host6(filter->prefix6, destination);
    else if (berth_access_same_network(destination, link_local, 10))
        open = is_host6(link_local, destination) && is_neighbour_discovery(packet);
    else if (destination[0] == 0xff)
        open = berth_access_same_network(destination, all_on_link, 16) &&
               is_neighbour_discovery(packet);
    return open ? BERTH_FILTER_PASS : BERTH_FILTER_DESTINATION;
}

static BerthFilterVerdict check_addresses_v6(const BerthFilter *filter, const BerthPacket *packet)
{
    BerthFilterVerdict verdict = check_source_v6(filter, packet);
    return verdict == BERTH_FILTER_PASS ? check_destination_v6(filter, packet) : verdict;
}

static bool is_dns(const BerthFilter *filter, guint8 family, const guint8 *address)
{
    return family == 4 ? berth_bytes_get_u32(address) == BERTH_ADDRESS_DNS
                       : host_part_in(filter->prefix6, address) == BERTH_ADDRESS6_DNS;
}

bool berth_filter_is_gateway(const BerthFilter *filter, guint8 family, const guint8 *address)
{
    return family == 4 ? berth_bytes_get_u32(address) == BERTH_ADDRESS_HOST
                       : host_part_in(filter->prefix6, address) == BERTH_ADDRESS6_HOST;
}

BerthFilterVerdict berth_filter_policy(const BerthFilter *filter, guint8 family,
                                       const guint8 *address, guint16 port)
{
    if (is_dns(filter, family, address))
        return port == PORT_DNS ? BERTH_FILTER_PASS : BERTH_FILTER_PORT;
    bool host = berth_filter_is_gateway(filter, family, address);
    BerthAccessAnswer answer = host ? berth_access_host(filter->access, port)
                                    : berth_access_outside(filter->access, family, address, port);
    if (answer == BERTH_ACCESS_OPEN)
        return BERTH_FILTER_PASS;
    if (answer == BERTH_ACCESS_UNKNOWN)
        return BERTH_FILTER_EARLY;
    return host ? BERTH_FILTER_PORT : BERTH_FILTER_CLOSED;
}

/* libslirp answers pings of its own addresses. */
static BerthFilterVerdict check_ping(const BerthFilter *filter, const BerthPacket *packet)
{
    const guint8 *to = packet->destination;
    bool own =
        is_dns(filter, packet->family, to) || berth_filter_is_gateway(filter, packet->family, to);
    if (own)
        return BERTH_FILTER_PASS;
    BerthFilterVerdict verdict = berth_filter_policy(filter, packet->family, to, 0);
    return verdict == BERTH_FILTER_PASS && filter->access->no_ping ? BERTH_FILTER_CLOSED : verdict;
}

static BerthFilterVerdict check_tcp(const BerthFilter *filter, const BerthPacket *packet)
{
    if (packet->fragment)
        return BERTH_FILTER_FRAGMENT;
    if (packet->size < TCP_SIZE)
        return BERTH_FILTER_MALFORMED;
    gsize header = (gsize)(packet->payload[12] >> 4) * 4;
    if (header < TCP_SIZE || header > packet->size)
        return BERTH_FILTER_MALFORMED;
    guint8 flags = packet->payload[13];
    if ((flags & TH_URG) != 0)
        return BERTH_FILTER_URGENT;
    return (flags & (TH_SYN | TH_ACK)) == TH_SYN
               ? berth_filter_policy(filter, packet->family, packet->destination,
                                     berth_bytes_get_u16(packet->payload + 2))
               : BERTH_FILTER_PASS;
}

static BerthFilterVerdict check_udp(const BerthFilter *filter, const BerthPacket *packet)
{
    if (!packet->first)
        return BERTH_FILTER_PASS; /* harmless without the first fragment, which has the port */
    if (packet->size < UDP_SIZE)
        return BERTH_FILTER_MALFORMED;
    gsize length = berth_bytes_get_u16(packet->payload + 4);
    if (length < UDP_SIZE || (!packet->fragment && length > packet->size))
        return BERTH_FILTER_MALFORMED;

    guint16 port = berth_bytes_get_u16(packet->payload + 2);
    bool served = packet->family == 6 ? port == PORT_DHCPV6 || port == PORT_TFTP
                                      : port == PORT_BOOTP || port == PORT_TFTP;
    const guint8 *to = packet->destination;
    if (served &&
        (is_dns(filter, packet->family, to) || berth_filter_is_gateway(filter, packet->family, to)))
        return BERTH_FILTER_SERVICE;
    return berth_filter_policy(filter, packet->family, to, port);
}

static BerthFilterVerdict check_icmp(const BerthFilter *filter, const BerthPacket *packet)
{
    if (packet->first && packet->size < ICMP_SIZE)
        return BERTH_FILTER_MALFORMED;
    return check_ping(filter, packet);
}

/* Excluded: router solicitations and advertisements, redirects, MLD, node information. */
static BerthFilterVerdict check_icmpv6(const BerthFilter *filter, const BerthPacket *packet)
{
    if (packet->size < ICMP_SIZE)
        return BERTH_FILTER_MALFORMED;
    guint8 type = packet->payload[0];
    bool ping = (type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB) ||
                type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY;
    if (ping)
        return check_ping(filter, packet);
    return is_neighbour_discovery(packet) ? BERTH_FILTER_PASS : BERTH_FILTER_PROTOCOL;
}

static BerthFilterVerdict check_payload(const BerthFilter *filter, const BerthPacket *packet)
{
    if (packet->protocol == IPPROTO_TCP)
        return check_tcp(filter, packet);
    if (packet->protocol == IPPROTO_UDP)
        return check_udp(filter, packet);
    if (packet->family == 4 && packet->protocol == IPPROTO_ICMP)
        return check_icmp(filter, packet);
    if (packet->family == 6 && packet->protocol == IPPROTO_ICMPV6)
        return check_icmpv6(filter, packet);
    return BERTH_FILTER_PROTOCOL; /* also IPv6 extension headers and fragments */
}

static BerthFilterVerdict check_packet(const BerthFilter *filter, const guint8 *frame, gsize size)
{
    BerthPacket packet;
    if (!berth_packet_read(frame, size, &packet))
        return BERTH_FILTER_MALFORMED;
    if (packet.fragment && packet.offset + packet.header_size + packet.size > PACKET_MAX)
        return BERTH_FILTER_FRAGMENT;
    BerthFilterVerdict verdict =
        packet.family == 4 ? check_addresses_v4(&packet) : check_addresses_v6(filter, &packet);
    return verdict == BERTH_FILTER_PASS ? check_payload(filter, &packet) : verdict;
}

BerthFilterVerdict berth_filter_frame(const BerthFilter *filter, const guint8 *frame, gsize size)
{
    if (size < BERTH_ETHERNET_SIZE)
        return BERTH_FILTER_MALFORMED;
    BerthFilterVerdict verdict = check_station(frame + 6);
    if (verdict != BERTH_FILTER_PASS)
        return verdict;

    switch (berth_bytes_get_u16(frame + 12)) {
    case ETHERTYPE_ARP:
        return check_arp(frame + BERTH_ETHERNET_SIZE, size - BERTH_ETHERNET_SIZE, frame + 6);
    case ETHERTYPE_IP:
    case ETHERTYPE_IPV6:
        return check_packet(filter, frame, size);
    default:
        return BERTH_FILTER_TYPE;
    }
}
