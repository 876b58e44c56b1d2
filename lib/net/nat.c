/* SPDX-License-Identifier: MIT */
#include "nat.h"

#include "address.h"
#include "bytes.h"
#include "packet.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define ETHERNET_SIZE 14u
#define IPV4_SIZE     20u
#define TCP_SIZE      20u
#define UDP_SIZE      8u
#define ICMP_SIZE     8u

#define AT_CHECKSUM    10u /* offsets in an IPv4 header */
#define AT_SOURCE      12u
#define AT_DESTINATION 16u

#define TCP_SYN  0x02u
#define PORT_DNS 53u

/* An IPv4 packet and its payload, possibly truncated. */
typedef struct {
    guint8 *ip;
    guint8 *payload;
    gsize size; /* of payload, up to the frame's end */
    guint8 protocol;
    bool first; /* holds the start of the payload */
} Packet;

static bool parse_ipv4(guint8 *ip, gsize size, Packet *ret_packet)
{
    if (size < IPV4_SIZE || ip[0] >> 4 != 4)
        return false;
    gsize header = (gsize)(ip[0] & 0x0f) * 4;
    if (header < IPV4_SIZE || header > size)
        return false;
    *ret_packet = (Packet){
        .ip = ip,
        .payload = ip + header,
        .size = size - header,
        .protocol = ip[9],
        .first = (berth_bytes_get_u16(ip + 6) & 0x1fff) == 0,
    };
    return true;
}

static bool parse_frame(guint8 *frame, gsize size, Packet *ret_packet)
{
    return size >= ETHERNET_SIZE && berth_bytes_get_u16(frame + 12) == ETHERTYPE_IP &&
           parse_ipv4(frame + ETHERNET_SIZE, size - ETHERNET_SIZE, ret_packet);
}

static bool has_tcp(const Packet *packet)
{
    return packet->protocol == IPPROTO_TCP && packet->first && packet->size >= TCP_SIZE;
}

static bool has_udp(const Packet *packet)
{
    return packet->protocol == IPPROTO_UDP && packet->first && packet->size >= UDP_SIZE;
}

/* A UDP checksum of zero means none. */
static void adjust_udp(guint8 *checksum, guint32 before, guint32 after)
{
    if (berth_bytes_get_u16(checksum) == 0)
        return;
    berth_bytes_adjust_checksum(checksum, before, after);
    if (berth_bytes_get_u16(checksum) == 0)
        berth_bytes_put_u16(checksum, 0xffff);
}

static void replace_address(Packet *packet, gsize at, guint32 address)
{
    guint32 before = berth_bytes_get_u32(packet->ip + at);
    berth_bytes_put_u32(packet->ip + at, address);
    berth_bytes_adjust_checksum(packet->ip + AT_CHECKSUM, before, address);
    if (has_tcp(packet))
        berth_bytes_adjust_checksum(packet->payload + 16, before, address);
    else if (has_udp(packet))
        adjust_udp(packet->payload + 6, before, address);
}

static void replace_tcp_port(Packet *packet, gsize at, guint16 port)
{
    guint16 before = berth_bytes_get_u16(packet->payload + at);
    berth_bytes_put_u16(packet->payload + at, port);
    berth_bytes_adjust_checksum(packet->payload + 16, before, port);
}

/* --- neighbours: 198.19.255.N is 127.0.N.1 --- */

static bool is_neighbour(guint32 address)
{
    guint slot = address & 0xff;
    return (address & BERTH_ADDRESS_MASK) == BERTH_ADDRESS_NEIGHBOURS && slot >= 1 &&
           slot <= BERTH_SLOT_MAX;
}

static guint32 loopback_of(guint32 neighbour)
{
    return BERTH_ADDRESS_LOOPBACK | (neighbour & 0xff) << 8;
}

/* The neighbour whose loopback address is @loopback, or 0. */
static guint32 neighbour_of(guint32 loopback)
{
    guint32 neighbour = BERTH_ADDRESS_NEIGHBOURS | (loopback >> 8 & 0xff);
    return is_neighbour(neighbour) && loopback == loopback_of(neighbour) ? neighbour : 0;
}

/* --- the name server --- */

static gint find_flow(const BerthNat *nat, guint16 guest_port)
{
    for (guint i = 0; i < BERTH_NAT_FLOWS; i++)
        if (nat->flows[i].guest_port == guest_port && guest_port != 0)
            return (gint)i;
    return -1;
}

static gint add_flow(BerthNat *nat, guint16 guest_port)
{
    gint index = find_flow(nat, guest_port);
    if (index < 0) {
        index = (gint)nat->next;
        nat->next = (nat->next + 1) % BERTH_NAT_FLOWS;
    }
    nat->flows[index].guest_port = guest_port;
    nat->flows[index].server = nat->server;
    return index;
}

/* The server that @packet must be sent to; NULL when it is not part of a query. */
static const BerthNatServer *find_server(BerthNat *nat, const Packet *packet)
{
    guint16 guest_port = berth_bytes_get_u16(packet->payload);
    bool starts = (packet->payload[13] & TCP_SYN) != 0;
    bool asks = berth_bytes_get_u32(packet->ip + AT_DESTINATION) == BERTH_ADDRESS_DNS &&
                berth_bytes_get_u16(packet->payload + 2) == PORT_DNS;
    if (!asks && !starts)
        return NULL;
    gint index = find_flow(nat, guest_port);
    if (!asks) {
        if (index >= 0)
            nat->flows[index].guest_port = 0; /* the guest reuses the port */
        return NULL;
    }
    if (starts && nat->server.port != 0)
        index = add_flow(nat, guest_port);
    return index >= 0 ? &nat->flows[index].server : NULL;
}

static gsize towards_server(const BerthNat *nat, const BerthNatServer *server, Packet *packet,
                            guint8 *frame, gsize size)
{
    replace_tcp_port(packet, 2, server->port);
    if (server->address == 0) {
        gsize grown = berth_nat46_to_v6(frame, size, nat->guest6, server->address6);
        return grown > 0 ? grown : size;
    }
    replace_address(packet, AT_DESTINATION, server->address);
    return size;
}

static bool is_from_server(const BerthNat *nat, const Packet *packet)
{
    if (!has_tcp(packet))
        return false;
    gint index = find_flow(nat, berth_bytes_get_u16(packet->payload + 2));
    return index >= 0 &&
           berth_bytes_get_u32(packet->ip + AT_SOURCE) == nat->flows[index].server.address &&
           berth_bytes_get_u16(packet->payload) == nat->flows[index].server.port;
}

/* The index of the flow from @guest_port to this server, or -1. */
static gint find_flow6(const BerthNat *nat, guint16 guest_port, const guint8 *address, guint16 port)
{
    gint index = find_flow(nat, guest_port);
    if (index < 0)
        return -1;
    const BerthNatServer *server = &nat->flows[index].server;
    bool same = server->address == 0 && server->port == port &&
                memcmp(server->address6, address, sizeof(server->address6)) == 0;
    return same ? index : -1;
}

/* The guest opens an IPv6 connection, perhaps directly to a server: end the translation of that
 * flow. */
static void forget_flow6(BerthNat *nat, const BerthPacket *packet)
{
    if (packet->protocol != IPPROTO_TCP || packet->size < TCP_SIZE ||
        (packet->payload[13] & TCP_SYN) == 0)
        return;
    gint index = find_flow6(nat, berth_bytes_get_u16(packet->payload), packet->destination,
                            berth_bytes_get_u16(packet->payload + 2));
    if (index >= 0)
        nat->flows[index].guest_port = 0;
}

/* Translate a segment from an IPv6 server into @copy; returns its size, or 0 when @frame is
 * something else. */
static gsize from_server6(const BerthNat *nat, const guint8 *frame, gsize size, guint8 *copy)
{
    BerthPacket packet;
    Packet made;
    if (!berth_packet_read(frame, size, &packet) || packet.family != 6 ||
        packet.protocol != IPPROTO_TCP || packet.size < TCP_SIZE ||
        memcmp(packet.destination, nat->guest6, sizeof(nat->guest6)) != 0 ||
        find_flow6(nat, berth_bytes_get_u16(packet.payload + 2), packet.source,
                   berth_bytes_get_u16(packet.payload)) < 0)
        return 0;
    gsize copy_size = berth_nat46_to_v4(frame, size, BERTH_ADDRESS_DNS, BERTH_ADDRESS_GUEST, copy);
    if (copy_size > 0 && parse_frame(copy, copy_size, &made))
        replace_tcp_port(&made, 0, PORT_DNS);
    return copy_size;
}

/* --- frames --- */

gsize berth_nat_from_guest(BerthNat *nat, guint8 *frame, gsize size)
{
    Packet packet;
    BerthPacket packet6;
    if (!parse_frame(frame, size, &packet)) {
        if (berth_packet_read(frame, size, &packet6))
            forget_flow6(nat, &packet6);
        return size;
    }
    guint32 destination = berth_bytes_get_u32(packet.ip + AT_DESTINATION);
    const BerthNatServer *server = has_tcp(&packet) ? find_server(nat, &packet) : NULL;
    if (server != NULL)
        return towards_server(nat, server, &packet, frame, size);
    if (is_neighbour(destination))
        replace_address(&packet, AT_DESTINATION, loopback_of(destination));
    return size;
}

/* Parse the packet quoted by an ICMP error if it was sent to a neighbour. Rewriting its address
 * changes its header checksum by the opposite amount, so the checksum of the error stays valid. */
static bool parse_quoted(const Packet *packet, Packet *ret_quoted)
{
    static const guint8 errors[] = {3, 11, 12}; /* unreachable, time exceeded, bad parameter */
    if (packet->protocol != IPPROTO_ICMP || !packet->first || packet->size < ICMP_SIZE ||
        memchr(errors, packet->payload[0], sizeof(errors)) == NULL ||
        !parse_ipv4(packet->payload + ICMP_SIZE, packet->size - ICMP_SIZE, ret_quoted))
        return false;
    ret_quoted->size = 0; /* do not adjust checksums in the quoted payload */
    return neighbour_of(berth_bytes_get_u32(ret_quoted->ip + AT_DESTINATION)) != 0;
}

const guint8 *berth_nat_to_guest(const BerthNat *nat, const guint8 *frame, gsize *size,
                                 guint8 *copy)
{
    Packet packet, quoted;
    if (!parse_frame((guint8 *)frame, *size, &packet)) { /* read only so far */
        gsize copy_size = from_server6(nat, frame, *size, copy);
        *size = copy_size > 0 ? copy_size : *size;
        return copy_size > 0 ? copy : frame;
    }
    guint32 source = berth_bytes_get_u32(packet.ip + AT_SOURCE);
    bool serves = is_from_server(nat, &packet);
    bool quotes = parse_quoted(&packet, &quoted);
    if (!serves && !quotes && neighbour_of(source) == 0)
        return frame;

    memcpy(copy, frame, *size);
    parse_frame(copy, *size, &packet);
    if (quotes && parse_quoted(&packet, &quoted))
        replace_address(&quoted, AT_DESTINATION,
                        neighbour_of(berth_bytes_get_u32(quoted.ip + AT_DESTINATION)));
    if (serves) {
        replace_address(&packet, AT_SOURCE, BERTH_ADDRESS_DNS);
        replace_tcp_port(&packet, 0, PORT_DNS);
    } else if (neighbour_of(source) != 0) {
        replace_address(&packet, AT_SOURCE, neighbour_of(source));
    }
    return copy;
}
