/* SPDX-License-Identifier: MIT */
#include "nameserver.h"

#include "address.h"
#include "bytes.h"
#include "datagram.h"
#include "dns_message.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define ETHERNET_SIZE 14u
#define IPV4_SIZE     20u
#define IPV6_SIZE     40u
#define PORT_DNS      53u
#define ANSWER_MAX    65535u

struct BerthNameserver {
    BerthDns *dns;
    guint mtu;
    void (*send)(const guint8 *frame, gsize size, gpointer user_data);
    gpointer user_data;
    guint8 frame[BERTH_DATAGRAM_HEADERS_MAX + ANSWER_MAX];
};

static void on_answer(const BerthDatagramEnds *ends, const guint8 *message, gsize size,
                      gpointer user_data)
{
    BerthNameserver *server = user_data;
    guint8 cut[BERTH_DNS_MADE_MAX];
    BerthDnsMessage parsed;
    if (size > berth_datagram_room(ends, server->mtu) &&
        berth_dns_message_parse(message, size, &parsed)) {
        size = berth_dns_message_truncate(message, &parsed, cut);
        message = cut;
    }
    gsize frame_size = berth_datagram_answer(ends, message, size, server->frame);
    server->send(server->frame, frame_size, server->user_data);
}

BerthNameserver *
berth_nameserver_new(guint mtu, void (*send)(const guint8 *frame, gsize size, gpointer user_data),
                     gpointer user_data)
{
    g_autoptr(BerthNameserver) server = g_new0(BerthNameserver, 1);
    server->mtu = mtu;
    server->send = send;
    server->user_data = user_data;
    server->dns = berth_dns_new(BERTH_DNS_WAIT_MSEC, on_answer, server);
    return server->dns != NULL ? g_steal_pointer(&server) : NULL;
}

void berth_nameserver_free(BerthNameserver *server)
{
    if (server == NULL)
        return;
    berth_dns_free(server->dns);
    g_free(server);
}

static bool is_our_address6(const BerthNameserver *server, const guint8 *address)
{
    static const guint8 none[16];
    const guint8 *prefix = berth_dns_names(server->dns)->prefix;
    return memcmp(prefix, none, sizeof(none)) != 0 && memcmp(address, prefix, 15) == 0 &&
           address[15] == BERTH_ADDRESS6_DNS;
}

/* Whether the frame is for the name server's address and not ICMP. */
static bool is_ours(const BerthNameserver *server, const guint8 *frame, gsize size)
{
    const guint8 *ip = frame + ETHERNET_SIZE;
    if (size < ETHERNET_SIZE + IPV4_SIZE)
        return false;
    if (berth_bytes_get_u16(frame + 12) == ETHERTYPE_IP)
        return berth_bytes_get_u32(ip + 16) == BERTH_ADDRESS_DNS && ip[9] != IPPROTO_ICMP;
    return berth_bytes_get_u16(frame + 12) == ETHERTYPE_IPV6 && size >= ETHERNET_SIZE + IPV6_SIZE &&
           is_our_address6(server, ip + 24) && ip[6] != IPPROTO_ICMPV6;
}

BerthNameserverVerdict berth_nameserver_handle(BerthNameserver *server, const guint8 *frame,
                                               gsize size)
{
    BerthDatagram datagram;
    if (!is_ours(server, frame, size))
        return BERTH_NAMESERVER_OTHER;
    if (!berth_datagram_parse(frame, size, &datagram) || datagram.ends.our_port != PORT_DNS)
        return BERTH_NAMESERVER_UNREACHABLE;
    berth_dns_ask(server->dns, &datagram.ends, datagram.data, datagram.size);
    return BERTH_NAMESERVER_HANDLED;
}

BerthNatServer berth_nameserver_by_tcp(const BerthNameserver *server)
{
    const BerthResolver *resolver = berth_dns_server_by_tcp(server->dns);
    if (resolver == NULL)
        return (BerthNatServer){0};
    BerthNatServer made = {.port = resolver->port};
    if (resolver->family == 4)
        made.address = berth_bytes_get_u32(resolver->address);
    else
        memcpy(made.address6, resolver->address, sizeof(made.address6));
    return made;
}

BerthDns *berth_nameserver_dns(BerthNameserver *server)
{
    return server->dns;
}
