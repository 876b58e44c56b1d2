/* SPDX-License-Identifier: MIT */
#include "net/nat46.h"

#include "base/fd.h"
#include "net/address.h"
#include "net/packet.h"
#include "../lib/frames.h"
#include "../lib/net_process.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#define WAIT_MSEC 10000
#define DATA_MAX  64u
#define ROOM      (DATA_MAX + 100u)

enum { SYN = 2, ACK = 16 };
enum { SERVER = 0x08080808 };

static const guint8 guest6[16] = {0xfd, 1, 2, 3, 4, 5, [15] = 0x15};
static const guint8 server6[16] = {0x20, 1, 0xd, 0xb8, 0xff, 0xff, [14] = 0xff, 0x53};

static const Flow question = {IPPROTO_TCP, ACK, BERTH_ADDRESS_GUEST, SERVER, 40000, 53, 1, 7};

static BerthPacket read_segment(const guint8 *frame, gsize size)
{
    BerthPacket packet;
    g_assert_true(berth_packet_read(frame, size, &packet));
    g_assert_cmpuint(packet.protocol, ==, IPPROTO_TCP);
    guint32 total = sum(IPPROTO_TCP + (guint32)packet.size, packet.source, 2 * packet.address_size);
    g_assert_cmphex(fold(sum(total, packet.payload, packet.size)), ==, 0);
    if (packet.family == 4)
        g_assert_cmphex(fold(sum(0, packet.header, packet.header_size)), ==, 0);
    return packet;
}

static void test_both_ways(void)
{
    guint8 frame[ROOM], copy[ROOM], data[DATA_MAX], segment[ROOM];
    for (guint i = 0; i < 5000; i++) {
        for (guint j = 0; j < sizeof(data); j++)
            data[j] = (guint8)g_test_rand_int();
        gsize size = make_frame(frame, &question, data, i % sizeof(data));
        gsize length = size - 34;
        memcpy(segment, frame + 34, length);
        segment[16] = segment[17] = 0; /* the checksum is another */

        gsize size6 = berth_nat46_to_v6(frame, size, guest6, server6);
        g_assert_cmpuint(size6, ==, size + BERTH_NAT46_GROWTH);
        BerthPacket packet = read_segment(frame, size6);
        g_assert_cmpmem(packet.source, 16, guest6, 16);
        g_assert_cmpmem(packet.destination, 16, server6, 16);
        gsize size4 = berth_nat46_to_v4(frame, size6, BERTH_ADDRESS_DNS, 0x0a000210, copy);
        g_assert_cmpuint(size4, ==, size);
        read_segment(copy, size4);
        g_assert_cmphex(get_u32(copy + 26), ==, BERTH_ADDRESS_DNS);
        g_assert_cmphex(get_u32(copy + 30), ==, 0x0a000210);
        put_u16(copy + 50, 0);
        g_assert_cmpmem(copy + 34, length, segment, length);
    }
}

static void test_wrong_checksum_stays_wrong(void)
{
    guint8 frame[ROOM];
    gsize size = make_frame(frame, &question, "data", 4);
    frame[size - 1] ^= 1;
    gsize size6 = berth_nat46_to_v6(frame, size, guest6, server6);
    guint32 total = sum(IPPROTO_TCP + 24, frame + 22, 32);
    g_assert_cmphex(fold(sum(total, frame + 54, size6 - 54)), !=, 0);
}

static void test_options_and_padding_are_left_out(void)
{
    guint8 frame[ROOM + 40], with_options[ROOM + 40];
    gsize size = make_frame(frame, &question, "data", 4);
    memcpy(with_options, frame, 34);
    memset(with_options + 34, 1, 40);
    memcpy(with_options + 74, frame + 34, size - 34);
    with_options[14] = 0x4f;
    put_u16(with_options + 16, (guint)size - 14 + 40);
    gsize size6 = berth_nat46_to_v6(with_options, size + 40 + 6, guest6, server6);
    g_assert_cmpuint(size6, ==, size + BERTH_NAT46_GROWTH);
    read_segment(with_options, size6);
}

static void test_untranslatable_frames(void)
{
    static const struct {
        guint at;
        guint8 value;
    } changes[] = {{12, 9},   {14, 0x65}, {14, 0x44}, {17, 39},
                   {17, 200}, {20, 0x20}, {21, 1},    {23, IPPROTO_UDP}};
    guint8 frame[ROOM], before[ROOM], copy[ROOM];
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        gsize size = make_frame(frame, &question, "data", 4);
        frame[changes[i].at] = changes[i].value;
        memcpy(before, frame, size);
        g_assert_cmpuint(berth_nat46_to_v6(frame, size, guest6, server6), ==, 0);
        g_assert_cmpmem(frame, size, before, size);
        g_assert_cmpuint(berth_nat46_to_v4(frame, size, 1, 2, copy), ==, 0);
    }
}

/* In blocks of exactly their size, so that a sanitizer sees an access outside. */
static void test_random_bytes(void)
{
    for (guint i = 0; i < 200000; i++) {
        gsize size = (gsize)g_test_rand_int_range(0, 120);
        g_autofree guint8 *frame = g_malloc(size + BERTH_NAT46_GROWTH);
        g_autofree guint8 *copy = g_malloc(size);
        for (gsize j = 0; j < size; j++)
            frame[j] = (guint8)g_test_rand_int();
        if (size >= 54) { /* get past the first checks */
            bool v6 = i % 2 == 0;
            put_u16(frame + 12, v6 ? 0x86dd : 0x0800);
            frame[14] = v6 ? 0x60 : (guint8)(0x40 | g_test_rand_int_range(4, 8));
            frame[v6 ? 20 : 23] = IPPROTO_TCP;
            put_u16(frame + (v6 ? 18 : 16), (guint)g_test_rand_int_range(0, 120));
            put_u16(frame + 20, v6 ? get_u16(frame + 20) : 0);
        }
        g_assert_cmpuint(berth_nat46_to_v4(frame, size, 1, 2, copy), <=, size);
        g_assert_cmpuint(berth_nat46_to_v6(frame, size, guest6, server6), <=,
                         size + BERTH_NAT46_GROWTH);
    }
}

/* --- in a real berth-net --- */

static int listen_at_loopback6(BerthResolver *ret_resolver)
{
    berth_autofd int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof(name);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, size) < 0)
        return -1;
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&name, &size), ==, 0);
    *ret_resolver = (BerthResolver){.family = 6, .port = ntohs(name.sin6_port), .address[15] = 1};
    return berth_fd_steal(&fd);
}

/* Answer the neighbour solicitation @frame with the guest's MAC address. Source: RFC 4861, 4.4. */
static void advertise(int guest_fd, guint8 *frame)
{
    guint8 *ip = frame + 14, *icmp = ip + 40, target[16];
    memcpy(target, icmp + 8, 16);
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(ip + 4, 32);
    memcpy(ip + 24, ip + 8, 16);
    memcpy(ip + 8, target, 16);
    memset(icmp, 0, 32);
    icmp[0] = 136;
    icmp[4] = 0x60;
    memcpy(icmp + 8, target, 16);
    icmp[24] = 2;
    icmp[25] = 1;
    memcpy(icmp + 26, guest_station, 6);
    put_u16(icmp + 2, fold(sum(sum(IPPROTO_ICMPV6 + 32, ip + 8, 32), icmp, 32)));
    g_assert_cmpint(send(guest_fd, frame, 86, 0), ==, 86);
}

/* The next TCP segment to the guest. */
static BerthPacket receive_segment(int guest_fd, guint8 *frame, gsize room)
{
    for (;;) {
        struct pollfd entry = {.fd = guest_fd, .events = POLLIN};
        BerthPacket packet;
        g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
        gsize size = (gsize)recv(guest_fd, frame, room, 0);
        if (!berth_packet_read(frame, size, &packet))
            continue;
        if (packet.protocol == IPPROTO_TCP)
            return read_segment(frame, size);
        if (packet.protocol == IPPROTO_ICMPV6 && packet.payload[0] == 135)
            advertise(guest_fd, frame);
    }
}

static void send_flow(int guest_fd, const Flow *flow, const char *data)
{
    guint8 frame[ROOM];
    gsize size = make_frame(frame, flow, data, strlen(data));
    g_assert_cmpint(send(guest_fd, frame, size, 0), ==, (gssize)size);
}

static void test_guest_queries_a_server_with_ipv6(void)
{
    int pair[2];
    guint8 frame[2000];
    char asked[8];
    BerthResolvers servers = {.count = 1};
    berth_autofd int server = listen_at_loopback6(&servers.list[0]);
    if (server < 0) {
        g_test_skip("no IPv6 here");
        return;
    }
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    BerthNet *net = start_net(pair[0], 1500);
    berth_net_set_resolvers(net, &servers);
    settle_net(net);

    Flow flow = {IPPROTO_TCP, SYN, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS, 40000, 53, 1000, 0};
    send_flow(pair[1], &flow, "");
    BerthPacket got = receive_segment(pair[1], frame, sizeof(frame));
    g_assert_cmpuint(got.family, ==, 4);
    g_assert_cmphex(get_u32(got.source), ==, BERTH_ADDRESS_DNS);
    g_assert_cmphex(get_u32(got.destination), ==, BERTH_ADDRESS_GUEST);
    g_assert_cmpuint(get_u16(got.payload), ==, 53);
    g_assert_cmpuint(got.payload[13], ==, SYN | ACK);

    flow.flags = ACK;
    flow.sequence = 1001;
    flow.acknowledged = get_u32(got.payload + 4) + 1;
    send_flow(pair[1], &flow, "hello");
    berth_autofd int connection = accept(server, NULL, NULL);
    g_assert_cmpint(read(connection, asked, sizeof(asked)), ==, 5);
    g_assert_cmpint(write(connection, "answer", 6), ==, 6);
    do
        got = receive_segment(pair[1], frame, sizeof(frame));
    while (got.size == 20);
    g_assert_cmpuint(got.family, ==, 4);
    g_assert_cmpmem(got.payload + 20, got.size - 20, "answer", 6);

    berth_net_free(net);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/nat46/both-ways", test_both_ways);
    g_test_add_func("/net/nat46/wrong-checksum-stays-wrong", test_wrong_checksum_stays_wrong);
    g_test_add_func("/net/nat46/options-and-padding-are-left-out",
                    test_options_and_padding_are_left_out);
    g_test_add_func("/net/nat46/untranslatable-frames", test_untranslatable_frames);
    g_test_add_func("/net/nat46/random-bytes", test_random_bytes);
    g_test_add_func("/net/nat46/guest-queries-a-server-with-ipv6",
                    test_guest_queries_a_server_with_ipv6);
    return g_test_run();
}
