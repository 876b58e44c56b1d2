/* SPDX-License-Identifier: MIT
 *
 * The access policy of a real berth-net, from a guest that builds its frames by hand: which
 * addresses and ports of this host it reaches, by every alias of libslirp, and which replies it
 * gets.
 */
#include "net/client.h"

#include "base/fd.h"
#include "net/packet.h"
#include "../lib/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MSEC 10000
#define PREFIX    0xfd, 0xbe, 0, 0, 0, 0, 0, 0

enum { SYN = 2, RST = 4, ACK = 16 };

typedef struct {
    int frames_fd, guest_fd;
    BerthNet *net;
    GArray *refused; /* guint16 */
} World;

static void on_refused(guint16 port, gpointer user_data)
{
    World *world = user_data;
    g_array_append_val(world->refused, port);
}

static const BerthNetEvents events = {.refused = on_refused};

static void setup(World *world, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    world->frames_fd = pair[0];
    world->guest_fd = pair[1];
    world->refused = g_array_new(FALSE, FALSE, sizeof(guint16));
    g_assert_nonnull(g_getenv("BERTH_TEST_PROGRAMS"));
    g_autofree char *path = g_build_filename(g_getenv("BERTH_TEST_PROGRAMS"), "berth-net", NULL);
    const BerthNetSetup how = {.mtu = 1500, .prefix6 = {PREFIX}};
    g_autoptr(GError) error = NULL;
    world->net = berth_net_new(path, world->frames_fd, &how, &events, world, &error);
    g_assert_no_error(error);
}

static void teardown(World *world, gconstpointer data)
{
    berth_net_free(world->net);
    berth_fd_close(&world->frames_fd);
    berth_fd_close(&world->guest_fd);
    g_array_unref(world->refused);
}

/* --- the keeper ------------------------------------------------------------------------------- */

typedef struct {
    int result;
    BerthStackCounters counters;
} Counted;

static void on_counters(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    Counted *counted = user_data;
    g_assert_cmpint(errnum, ==, 0);
    counted->counters = *counters;
    counted->result = 0;
}

/* Also a barrier: earlier requests have been carried out. */
static BerthStackCounters count(World *world)
{
    Counted counted = {.result = -1};
    berth_net_get_counters(world->net, on_counters, &counted);
    while (counted.result < 0)
        g_main_context_iteration(NULL, TRUE);
    return counted.counters;
}

static void set_access(World *world, const char *ports, const char *outbound)
{
    BerthAccess access = {.known = 1};
    g_assert_true(berth_access_add_ports(&access, ports, NULL));
    g_assert_true(berth_access_add_outbound(&access, outbound, NULL));
    berth_net_set_access(world->net, &access);
    count(world);
}

/* --- the host --------------------------------------------------------------------------------- */

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

/* A socket on loopback, and its port. */
static int serve(int family, int type, guint16 *ret_port)
{
    Address address = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    if (family == AF_INET6)
        address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t size = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(bind(fd, &address.any, size), ==, 0);
    if (type == SOCK_STREAM)
        g_assert_cmpint(listen(fd, 8), ==, 0);
    g_assert_cmpint(getsockname(fd, &address.any, &size), ==, 0);
    *ret_port = ntohs(address.v4.sin_port); /* same offset in both */
    return fd;
}

static bool has_client(int fd, int msec)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    return poll(&entry, 1, msec) == 1;
}

/* --- the guest -------------------------------------------------------------------------------- */

static const guint8 station[6] = {0x52, 0x54, 0, 1, 2, 3}, gateway[6] = {0x52, 0x55, 10, 0, 2, 2};
static const guint8 guest_v6[16] = {PREFIX, [15] = 0x15};

/* Headers for @size bytes of @protocol to @to, an address as text; returns where they go. */
static guint8 *begin(guint8 *frame, const char *to, guint8 protocol, gsize size)
{
    bool v6 = strchr(to, ':') != NULL;
    guint8 *ip = frame + 14;
    memset(frame, 0, 14 + 40 + size);
    memcpy(frame, gateway, 6);
    memcpy(frame + 6, station, 6);
    put_u16(frame + 12, v6 ? 0x86dd : 0x0800);
    if (v6) {
        ip[0] = 0x60;
        put_u16(ip + 4, (guint)size);
        ip[6] = protocol;
        ip[7] = protocol == IPPROTO_ICMPV6 ? 255 : 64;
        memcpy(ip + 8, guest_v6, 16);
        g_assert_cmpint(inet_pton(AF_INET6, to, ip + 24), ==, 1);
        return ip + 40;
    }
    ip[0] = 0x45;
    put_u16(ip + 2, (guint)(20 + size));
    ip[8] = 64;
    ip[9] = protocol;
    put_u32(ip + 12, 0x0a00020f);
    g_assert_cmpint(inet_pton(AF_INET, to, ip + 16), ==, 1);
    put_u16(ip + 10, fold(sum(0, ip, 20)));
    return ip + 20;
}

static void finish(World *world, guint8 *frame, guint8 *payload, gsize size, gsize sum_at)
{
    gsize all = (gsize)(payload - frame) + size;
    BerthPacket packet;
    g_assert_true(berth_packet_read(frame, all, &packet));
    guint32 pseudo = sum((guint32)size + packet.protocol, packet.source, 2 * packet.address_size);
    put_u16(payload + sum_at, fold(sum(pseudo, payload, size)));
    g_assert_cmpint(send(world->guest_fd, frame, all, 0), ==, (gssize)all);
}

static void send_syn(World *world, const char *to, guint16 port)
{
    guint8 frame[128];
    guint8 *tcp = begin(frame, to, IPPROTO_TCP, 20);
    put_u16(tcp, 40000);
    put_u16(tcp + 2, port);
    put_u32(tcp + 4, 1000);
    tcp[12] = 0x50;
    tcp[13] = SYN;
    put_u16(tcp + 14, 65535);
    finish(world, frame, tcp, 20, 16);
}

static void send_datagram(World *world, const char *to, guint16 from_port, guint16 port)
{
    guint8 frame[128];
    guint8 *udp = begin(frame, to, IPPROTO_UDP, 12);
    put_u16(udp, from_port);
    put_u16(udp + 2, port);
    put_u16(udp + 4, 12);
    memcpy(udp + 8, "ping", 4);
    finish(world, frame, udp, 12, 6);
}

/* Answer a neighbour or ARP request for the guest's address. */
static bool answer_question(World *world, const guint8 *frame, const BerthPacket *packet)
{
    static const guint8 arp_head[8] = {0, 1, 8, 0, 6, 4, 0, 2};
    guint8 answer[128] = {0};
    if (get_u16(frame + 12) == 0x0806) {
        memcpy(answer, gateway, 6);
        memcpy(answer + 6, station, 6);
        put_u16(answer + 12, 0x0806);
        memcpy(answer + 14, arp_head, 8);
        memcpy(answer + 22, station, 6);
        put_u32(answer + 28, 0x0a00020f);
        memcpy(answer + 32, frame + 22, 10);
        g_assert_cmpint(send(world->guest_fd, answer, 42, 0), ==, 42);
        return true;
    }
    if (packet->protocol != IPPROTO_ICMPV6 || packet->payload[0] != 135)
        return false;
    char asker[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, packet->source, asker, sizeof(asker));
    guint8 *icmp = begin(answer, asker, IPPROTO_ICMPV6, 32);
    icmp[0] = 136;
    icmp[4] = 0x60;
    memcpy(icmp + 8, guest_v6, 16);
    icmp[24] = 2;
    icmp[25] = 1;
    memcpy(icmp + 26, station, 6);
    finish(world, answer, icmp, 32, 2);
    return true;
}

/* The next packet to the guest; false when none comes in time. */
static bool receive(World *world, guint8 *frame, gsize capacity, BerthPacket *packet, int msec)
{
    while (has_client(world->guest_fd, msec)) {
        ssize_t size = recv(world->guest_fd, frame, capacity, 0);
        g_assert_cmpint(size, >, 0);
        bool read = berth_packet_read(frame, (gsize)size, packet);
        if (!answer_question(world, frame, packet) && read)
            return true;
    }
    return false;
}

/* The flags of the reply to a SYN sent there, or 0. */
static guint8 try_tcp(World *world, const char *to, guint16 port, int msec)
{
    guint8 frame[2000];
    BerthPacket packet;
    send_syn(world, to, port);
    if (!receive(world, frame, sizeof(frame), &packet, msec))
        return 0;
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_TCP);
    g_assert_cmpuint(get_u16(packet.payload), ==, port);
    return packet.payload[13];
}

#define HOST_V6 "fdbe::2"

/* --- tests ------------------------------------------------------------------------------------ */

static void test_host_is_closed(World *world, gconstpointer data)
{
    guint16 port, port6;
    berth_autofd int service = serve(AF_INET, SOCK_STREAM, &port);
    berth_autofd int service6 = serve(AF_INET6, SOCK_STREAM, &port6);
    set_access(world, "", "");
    g_assert_cmphex(try_tcp(world, "10.0.2.2", port, WAIT_MSEC), ==, RST | ACK);
    g_assert_cmphex(try_tcp(world, HOST_V6, port6, WAIT_MSEC), ==, RST | ACK);
    g_assert_false(has_client(service, 0));
    g_assert_false(has_client(service6, 0));
    g_assert_cmpuint(count(world).verdicts[BERTH_FILTER_PORT], ==, 2);
}

static void test_allowed_port_is_open(World *world, gconstpointer data)
{
    guint16 port, port6;
    berth_autofd int service = serve(AF_INET, SOCK_STREAM, &port);
    berth_autofd int service6 = serve(AF_INET6, SOCK_STREAM, &port6);
    g_autofree char *ports = g_strdup_printf("%u %u", port, port6);
    set_access(world, ports, "");
    g_assert_cmphex(try_tcp(world, "10.0.2.2", port, WAIT_MSEC), ==, SYN | ACK);
    g_assert_true(has_client(service, WAIT_MSEC));
    g_assert_cmphex(try_tcp(world, HOST_V6, port6, WAIT_MSEC), ==, SYN | ACK);
    g_assert_true(has_client(service6, WAIT_MSEC));

    set_access(world, "", ""); /* revoked */
    guint16 other;
    berth_autofd int later = serve(AF_INET, SOCK_STREAM, &other);
    g_assert_cmphex(try_tcp(world, "10.0.2.2", other, WAIT_MSEC), ==, RST | ACK);
    g_assert_false(has_client(later, 0));
}

/* All ports are open, so that only the gateway's own address may lead to them. */
static void test_no_other_address_is_the_host(World *world, gconstpointer data)
{
    static const char *const ways[] = {"127.0.0.1",
                                       "127.0.0.53",
                                       "127.255.255.254",
                                       "0.0.0.0",
                                       "0.0.0.1",
                                       "255.255.255.255",
                                       "10.0.2.0",
                                       "10.0.2.1",
                                       "10.0.2.4",
                                       "10.0.2.15",
                                       "10.0.2.255",
                                       "10.0.2.3",
                                       "::1",
                                       "::127.0.0.1",
                                       "::ffff:127.0.0.1",
                                       "::ffff:0:127.0.0.1",
                                       "::",
                                       "::ffff:10.0.2.2",
                                       "fdbe::",
                                       "fdbe::1",
                                       "fdbe::3",
                                       "fdbe::4",
                                       "fdbe::15",
                                       "fdbe::1:2",
                                       "fec0::2",
                                       "fe80::2",
                                       "ff02::1",
                                       "ff01::1",
                                       "fe80::1",
                                       "fdbe::ffff:ffff:0:2"};
    guint16 port, port6;
    berth_autofd int service = serve(AF_INET, SOCK_STREAM, &port);
    berth_autofd int service6 = serve(AF_INET6, SOCK_STREAM, &port6);
    berth_autofd int datagrams = serve(AF_INET, SOCK_DGRAM, &(guint16){0});
    set_access(world, "all", "");
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        send_syn(world, ways[i], port);
        send_syn(world, ways[i], port6);
        send_datagram(world, ways[i], 40001, port);
    }
    BerthStackCounters counters = count(world);
    while (counters.verdicts[BERTH_FILTER_DESTINATION] + counters.verdicts[BERTH_FILTER_PORT] <
           3 * G_N_ELEMENTS(ways))
        counters = count(world);
    g_assert_cmpuint(counters.verdicts[BERTH_FILTER_PASS], ==, 0);
    g_assert_false(has_client(service, 100));
    g_assert_false(has_client(service6, 0));
    g_assert_false(has_client(datagrams, 0));
    g_assert_cmphex(try_tcp(world, "10.0.2.2", port, WAIT_MSEC) & RST, ==, RST); /* the DNS's */
}

static void test_no_connection_before_the_policy(World *world, gconstpointer data)
{
    guint16 port;
    berth_autofd int service = serve(AF_INET, SOCK_STREAM, &port);
    g_assert_cmphex(try_tcp(world, "10.0.2.2", port, 100), ==, 0);
    g_assert_cmpuint(count(world).verdicts[BERTH_FILTER_EARLY], ==, 1);
    g_assert_false(has_client(service, 0));
    g_autofree char *ports = g_strdup_printf("%u", port);
    set_access(world, ports, "");
    g_assert_cmphex(try_tcp(world, "10.0.2.2", port, WAIT_MSEC), ==, SYN | ACK);
}

static void test_outbound_list(World *world, gconstpointer data)
{
    set_access(world, "", "192.0.2.1");
    g_assert_cmphex(try_tcp(world, "192.0.2.2", 80, WAIT_MSEC), ==, RST | ACK);
    g_assert_cmphex(try_tcp(world, "169.254.169.254", 80, WAIT_MSEC), ==, RST | ACK);
    g_assert_cmphex(try_tcp(world, "2001:db8::1", 80, WAIT_MSEC), ==, RST | ACK);
    g_assert_cmpuint(count(world).verdicts[BERTH_FILTER_CLOSED], ==, 3);
}

static void test_refused_datagram_is_answered(World *world, gconstpointer data)
{
    guint16 port;
    berth_autofd int service = serve(AF_INET, SOCK_DGRAM, &port);
    guint8 frame[2000];
    BerthPacket packet;
    set_access(world, "", "");
    send_datagram(world, "10.0.2.2", 40001, port);
    g_assert_true(receive(world, frame, sizeof(frame), &packet, WAIT_MSEC));
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_ICMP);
    g_assert_cmpuint(packet.payload[0], ==, 3);
    g_assert_cmpuint(packet.payload[1], ==, 3);
    send_datagram(world, HOST_V6, 40001, port);
    g_assert_true(receive(world, frame, sizeof(frame), &packet, WAIT_MSEC));
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_ICMPV6);
    g_assert_cmpuint(packet.payload[0], ==, 1);
    g_assert_cmpuint(packet.payload[1], ==, 4);
    g_assert_false(has_client(service, 0));
}

static void test_refusals_are_reported_once(World *world, gconstpointer data)
{
    set_access(world, "", "");
    for (guint round = 0; round < 3; round++)
        for (guint16 port = 1; port <= BERTH_STACK_REFUSED_MAX + 5; port++) {
            send_syn(world, "10.0.2.2", port);
            send_datagram(world, HOST_V6, 40001, port);
            send_syn(world, "10.0.2.3", (guint16)(1000 + port)); /* not the host's */
            send_syn(world, "169.254.169.254", (guint16)(2000 + port));
        }
    while (count(world).verdicts[BERTH_FILTER_CLOSED] < 3 * (BERTH_STACK_REFUSED_MAX + 5))
        ;
    g_assert_cmpuint(world->refused->len, ==, BERTH_STACK_REFUSED_MAX);
    for (guint i = 0; i < world->refused->len; i++)
        g_assert_cmpuint(g_array_index(world->refused, guint16, i), ==, i + 1);
}

/* --- a UDP forward: its clients' addresses are closed to the guest, yet get answers
 * ------------- */

static void on_added(int errnum, gpointer user_data)
{
    *(int *)user_data = errnum;
}

static void test_client_of_a_datagram_forward_is_answered(World *world, gconstpointer data)
{
    guint16 listening, client_port, bystander_port;
    close(serve(AF_INET, SOCK_DGRAM, &listening));
    berth_autofd int client = serve(AF_INET, SOCK_DGRAM, &client_port);
    berth_autofd int bystander = serve(AF_INET, SOCK_DGRAM, &bystander_port);
    const BerthLeg leg = {.protocol = BERTH_UDP,
                          .family = 4,
                          .host = {127, 0, 0, 1},
                          .guest = {10, 0, 2, 15},
                          .host_port = listening,
                          .guest_port = listening};
    int added = -1;
    set_access(world, "", "");
    berth_net_add(world->net, &leg, on_added, &added);
    while (added < 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(added, ==, 0);

    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(listening),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    g_assert_cmpint(sendto(client, "hey", 3, 0, (struct sockaddr *)&to, sizeof(to)), ==, 3);
    guint8 frame[2000];
    BerthPacket packet;
    g_assert_true(receive(world, frame, sizeof(frame), &packet, WAIT_MSEC));
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_UDP);
    g_assert_cmpuint(get_u16(packet.payload), ==, client_port);

    send_datagram(world, "10.0.2.2", listening, client_port);
    g_assert_true(has_client(client, WAIT_MSEC));
    send_datagram(world, "10.0.2.2", listening, bystander_port);
    send_datagram(world, "10.0.2.2", 40001, client_port);
    g_assert_true(receive(world, frame, sizeof(frame), &packet, WAIT_MSEC));
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_ICMP);
    g_assert_true(receive(world, frame, sizeof(frame), &packet, WAIT_MSEC));
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_ICMP);
    g_assert_false(has_client(bystander, 0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/net/access/" name, World, NULL, setup, function, teardown)
    ADD("host-is-closed", test_host_is_closed);
    ADD("allowed-port-is-open", test_allowed_port_is_open);
    ADD("no-other-address-is-the-host", test_no_other_address_is_the_host);
    ADD("no-connection-before-the-policy", test_no_connection_before_the_policy);
    ADD("outbound-list", test_outbound_list);
    ADD("refused-datagram-is-answered", test_refused_datagram_is_answered);
    ADD("refusals-are-reported-once", test_refusals_are_reported_once);
    ADD("client-of-a-datagram-forward-is-answered", test_client_of_a_datagram_forward_is_answered);
    return g_test_run();
}
