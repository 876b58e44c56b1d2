/* SPDX-License-Identifier: MIT */
#include "net/nat.h"

#include "base/fd.h"
#include "net/address.h"
#include "../lib/frames.h"
#include "../lib/net_process.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#define WAIT_MSEC 10000

enum { SYN = 2, ACK = 16 };
enum { SERVER = 0x08080808, OTHER_SERVER = 0x09090909, OUTSIDE = 0x5db8d822 };

static guint32 source_of(const guint8 *frame)
{
    return get_u32(frame + 26);
}

static guint32 destination_of(const guint8 *frame)
{
    return get_u32(frame + 30);
}

/* --- neighbours --- */

static void check_neighbour(guint8 protocol, guint number, guint data_size)
{
    BerthNat nat = {0};
    guint8 frame[256], copy[256], data[64];
    for (guint i = 0; i < sizeof(data); i++)
        data[i] = (guint8)g_test_rand_int();
    guint32 neighbour = BERTH_ADDRESS_NEIGHBOURS + number;
    guint32 loopback = 0x7f000001 + (number << 8);
    Flow flow = {protocol, SYN, BERTH_ADDRESS_GUEST, neighbour, 40000, 3000, 1, 0};
    gsize size = make_frame(frame, &flow, data, data_size);
    berth_nat_from_guest(&nat, frame, size);
    g_assert_cmphex(destination_of(frame), ==, loopback);
    g_assert_cmphex(source_of(frame), ==, BERTH_ADDRESS_GUEST);
    g_assert_true(checksums_are_right(frame));

    Flow back = {protocol, ACK, loopback, BERTH_ADDRESS_GUEST, 3000, 40000, 9, 2};
    size = make_frame(frame, &back, data, data_size);
    g_assert_true(berth_nat_to_guest(&nat, frame, &size, copy) == copy);
    g_assert_cmphex(source_of(copy), ==, neighbour);
    g_assert_true(checksums_are_right(copy));
    g_assert_cmphex(source_of(frame), ==, loopback); /* belongs to libslirp */
}

static void test_neighbours_both_ways(void)
{
    for (guint number = 1; number <= BERTH_SLOT_MAX; number++)
        for (guint size = 0; size < 64; size += 7) {
            check_neighbour(IPPROTO_TCP, number, size);
            check_neighbour(IPPROTO_UDP, number, size);
        }
}

static void test_other_addresses_are_unchanged(void)
{
    static const guint32 addresses[] = {
        BERTH_ADDRESS_HOST,
        BERTH_ADDRESS_DNS,
        BERTH_ADDRESS_NEIGHBOURS,
        BERTH_ADDRESS_NEIGHBOURS + 255,
        0x0a000401,
        0x0a010301,
        OUTSIDE,
        0x7f000001,
        0x7f000002,
        0x7f000102,
        0x7f00ff01,
        0x7f010101,
    };
    BerthNat nat = {.server = {.address = SERVER, .port = 53}};
    guint8 frame[128], before[128], copy[128];
    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        Flow flow = {IPPROTO_UDP, 0, BERTH_ADDRESS_GUEST, addresses[i], 40000, 53, 0, 0};
        gsize size = make_frame(frame, &flow, "data", 4);
        memcpy(before, frame, size);
        berth_nat_from_guest(&nat, frame, size);
        g_assert_cmpmem(frame, size, before, size);
        Flow back = {IPPROTO_UDP, 0, addresses[i], BERTH_ADDRESS_GUEST, 53, 40000, 0, 0};
        size = make_frame(frame, &back, "data", 4);
        g_assert_true(berth_nat_to_guest(&nat, frame, &size, copy) == frame);
    }
}

static void test_absent_udp_checksum_stays_absent(void)
{
    BerthNat nat = {0};
    guint8 frame[128];
    Flow flow = {IPPROTO_UDP, 0, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_NEIGHBOURS + 7, 4, 5, 0, 0};
    gsize size = make_frame(frame, &flow, "data", 4);
    put_u16(frame + 40, 0);
    berth_nat_from_guest(&nat, frame, size);
    g_assert_cmphex(destination_of(frame), ==, 0x7f000701);
    g_assert_cmpuint(get_u16(frame + 40), ==, 0);
}

static void test_later_fragment_changes_in_its_header_only(void)
{
    BerthNat nat = {0};
    guint8 frame[128], before[128];
    Flow flow = {IPPROTO_UDP, 0, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_NEIGHBOURS + 7, 4, 5, 0, 0};
    gsize size = make_frame(frame, &flow, "some more data", 14);
    put_u16(frame + 20, 2);
    put_u16(frame + 24, 0);
    put_u16(frame + 24, fold(sum(0, frame + 14, 20)));
    memcpy(before, frame, size);
    berth_nat_from_guest(&nat, frame, size);
    g_assert_cmphex(destination_of(frame), ==, 0x7f000701);
    g_assert_cmpuint(fold(sum(0, frame + 14, 20)), ==, 0);
    g_assert_cmpmem(frame + 34, size - 34, before + 34, size - 34);
}

/* libslirp's reply when nothing listens there: an ICMP error quoting the guest's datagram. */
static void test_error_about_a_neighbour(void)
{
    BerthNat nat = {0};
    guint8 quoted[64], frame[128], copy[128], *icmp = frame + 34;
    Flow about = {IPPROTO_UDP, 0, BERTH_ADDRESS_GUEST, 0x7f000701, 40000, 3000, 0, 0};
    make_frame(quoted, &about, NULL, 0);
    Flow error = {IPPROTO_ICMP, 0, BERTH_ADDRESS_HOST, BERTH_ADDRESS_GUEST, 0, 0, 0, 0};
    put_ipv4(frame, &error, 8 + 28);
    memset(icmp, 0, 8);
    icmp[0] = icmp[1] = 3;
    memcpy(icmp + 8, quoted + 14, 28);
    put_u16(icmp + 2, fold(sum(0, icmp, 36)));

    gsize size = 34 + 36;
    const guint8 *got = berth_nat_to_guest(&nat, frame, &size, copy);
    g_assert_true(got == copy);
    g_assert_cmphex(get_u32(copy + 34 + 8 + 16), ==, BERTH_ADDRESS_NEIGHBOURS + 7);
    g_assert_cmphex(source_of(copy), ==, BERTH_ADDRESS_HOST);
    g_assert_cmpuint(fold(sum(0, copy + 34 + 8, 20)), ==, 0);
    g_assert_cmpuint(fold(sum(0, copy + 34, 36)), ==, 0);
}

/* --- the name server --- */

static guint32 ask(BerthNat *nat, guint32 address, guint16 guest_port, guint8 flags,
                   guint16 *ret_port)
{
    guint8 frame[128];
    Flow flow = {IPPROTO_TCP, flags, BERTH_ADDRESS_GUEST, address, guest_port, 53, 1, 0};
    gsize size = make_frame(frame, &flow, "data", 4);
    berth_nat_from_guest(nat, frame, size);
    g_assert_true(checksums_are_right(frame));
    *ret_port = get_u16(frame + 36);
    return destination_of(frame);
}

static guint32 answer(const BerthNat *nat, BerthNatServer from, guint16 guest_port)
{
    guint8 frame[128], copy[128];
    Flow flow = {IPPROTO_TCP, ACK, from.address, BERTH_ADDRESS_GUEST, from.port, guest_port, 1, 0};
    gsize size = make_frame(frame, &flow, "data", 4);
    const guint8 *got = berth_nat_to_guest(nat, frame, &size, copy);
    g_assert_true(checksums_are_right(got));
    g_assert_cmpuint(get_u16(got + 34), ==, got == copy ? 53 : from.port);
    return source_of(got);
}

static void test_name_server_by_tcp(void)
{
    BerthNat nat = {.server = {.address = SERVER, .port = 5353}};
    guint16 port;
    g_assert_cmphex(ask(&nat, BERTH_ADDRESS_DNS, 40000, SYN, &port), ==, SERVER);
    g_assert_cmpuint(port, ==, 5353);
    g_assert_cmphex(answer(&nat, nat.server, 40000), ==, BERTH_ADDRESS_DNS);

    /* another server from now on; the connection keeps its own */
    nat.server = (BerthNatServer){.address = OTHER_SERVER, .port = 53};
    g_assert_cmphex(ask(&nat, BERTH_ADDRESS_DNS, 40000, ACK, &port), ==, SERVER);
    g_assert_cmphex(ask(&nat, BERTH_ADDRESS_DNS, 40001, SYN, &port), ==, OTHER_SERVER);
    g_assert_cmphex(answer(&nat, (BerthNatServer){.address = SERVER, .port = 5353}, 40000), ==,
                    BERTH_ADDRESS_DNS);
    g_assert_cmphex(answer(&nat, nat.server, 40001), ==, BERTH_ADDRESS_DNS);
}

static void test_name_server_under_its_own_address(void)
{
    BerthNat nat = {.server = {.address = SERVER, .port = 53}};
    guint16 port;
    g_assert_cmphex(ask(&nat, SERVER, 40000, SYN, &port), ==, SERVER);
    g_assert_cmphex(answer(&nat, nat.server, 40000), ==, SERVER);
    g_assert_cmphex(ask(&nat, BERTH_ADDRESS_DNS, 40001, SYN, &port), ==, SERVER);
    g_assert_cmphex(answer(&nat, nat.server, 40000), ==, SERVER);
    /* the port of a former connection to 10.0.2.3 */
    g_assert_cmphex(ask(&nat, SERVER, 40001, SYN, &port), ==, SERVER);
    g_assert_cmphex(answer(&nat, nat.server, 40001), ==, SERVER);
}

/* Build the frame of an IPv6 segment between the guest and a server; returns its size. */
static gsize make_frame6(guint8 *frame, const guint8 *source, const guint8 *destination,
                         guint16 source_port, guint16 destination_port)
{
    Flow flow = {IPPROTO_TCP, SYN, 1, 2, source_port, destination_port, 1, 0};
    return berth_nat46_to_v6(frame, make_frame(frame, &flow, "data", 4), source, destination);
}

static void test_name_server_with_ipv6(void)
{
    static const BerthNatServer server = {.address6 = {0x20, 1, [15] = 9}, .port = 5353};
    BerthNat nat = {.server = server, .guest6 = {0xfd, 1, [15] = 0x15}};
    guint8 frame[128], copy[128], other[16] = {0x20, 2};
    Flow flow = {IPPROTO_TCP, SYN, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS, 40000, 53, 1, 0};
    gsize size = make_frame(frame, &flow, "data", 4);
    g_assert_cmpuint(berth_nat_from_guest(&nat, frame, size), ==, size + BERTH_NAT_GROWTH);
    g_assert_cmpmem(frame + 22, 16, nat.guest6, 16);
    g_assert_cmpmem(frame + 38, 16, server.address6, 16);
    g_assert_cmpuint(get_u16(frame + 56), ==, 5353);
    guint32 total = sum(IPPROTO_TCP + 24, frame + 22, 32);
    g_assert_cmphex(fold(sum(total, frame + 54, 24)), ==, 0);

    nat.server = (BerthNatServer){0}; /* the connection keeps its server */
    gsize size6 = make_frame6(frame, server.address6, nat.guest6, 5353, 40000);
    gsize got = size6;
    g_assert_true(berth_nat_to_guest(&nat, frame, &got, copy) == copy);
    g_assert_cmpuint(got, ==, size);
    g_assert_cmphex(source_of(copy), ==, BERTH_ADDRESS_DNS);
    g_assert_cmphex(destination_of(copy), ==, BERTH_ADDRESS_GUEST);
    g_assert_cmpuint(get_u16(copy + 34), ==, 53);
    g_assert_true(checksums_are_right(copy));

    for (guint i = 0; i < 4; i++) { /* each differs from the flow in one way */
        size6 = make_frame6(frame, i == 0 ? other : server.address6, i == 1 ? other : nat.guest6,
                            i == 2 ? 53 : 5353, i == 3 ? 40001 : 40000);
        got = size6;
        g_assert_true(berth_nat_to_guest(&nat, frame, &got, copy) == frame);
        g_assert_cmpuint(got, ==, size6);
    }

    /* now the guest talks to it directly, from the same port */
    size6 = make_frame6(frame, nat.guest6, server.address6, 40000, 5353);
    g_assert_cmpuint(berth_nat_from_guest(&nat, frame, size6), ==, size6);
    make_frame6(frame, server.address6, nat.guest6, 5353, 40000);
    g_assert_true(berth_nat_to_guest(&nat, frame, &size6, copy) == frame);
}

static void test_no_name_server(void)
{
    BerthNat nat = {0};
    guint16 port;
    g_assert_cmphex(ask(&nat, BERTH_ADDRESS_DNS, 40000, SYN, &port), ==, BERTH_ADDRESS_DNS);
    g_assert_cmpuint(port, ==, 53);
}

static void test_flows_are_bounded(void)
{
    BerthNat nat = {.server = {.address = SERVER, .port = 53}};
    guint16 port;
    for (guint i = 0; i < 3 * BERTH_NAT_FLOWS; i++)
        ask(&nat, BERTH_ADDRESS_DNS, (guint16)(30000 + i), SYN, &port);
    g_assert_cmphex(answer(&nat, nat.server, 30000), ==, SERVER);
    g_assert_cmphex(answer(&nat, nat.server, 30000 + 3 * BERTH_NAT_FLOWS - 1), ==,
                    BERTH_ADDRESS_DNS);
}

/* --- random input --- */

/* In blocks of exactly their size, so that a sanitizer detects accesses outside. */
static void test_random_bytes(void)
{
    BerthNat nat = {.server = {.address = SERVER, .port = 53}};
    for (guint i = 0; i < 200000; i++) {
        gsize size = (gsize)g_test_rand_int_range(0, 96);
        g_autofree guint8 *frame = g_malloc(size + BERTH_NAT_GROWTH);
        g_autofree guint8 *copy = g_malloc(size);
        for (gsize j = 0; j < size; j++)
            frame[j] = (guint8)g_test_rand_int();
        if (size >= 34) { /* get past the first checks */
            put_u16(frame + 12, 0x0800);
            frame[14] = (guint8)(0x40 | g_test_rand_int_range(4, 8));
            frame[23] = (guint8[]){1, 6, 17}[i % 3];
            put_u32(frame + (i % 2 == 0 ? 26 : 30), i % 4 < 2 ? 0x7f000701 : 0xc613ff07);
        }
        size = MIN(berth_nat_from_guest(&nat, frame, size), size);
        berth_nat_to_guest(&nat, frame, &size, copy);
    }
}

/* --- in a real berth-net --- */

static int listen_at(guint32 address, guint16 *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    socklen_t size = sizeof(name);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&name, size), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&name, &size), ==, 0);
    *ret_port = ntohs(name.sin_port);
    return fd;
}

/* The next TCP segment to the guest; answers ARP requests meanwhile. */
static gsize receive_segment(int guest_fd, guint8 *frame, gsize size)
{
    struct pollfd entry = {.fd = guest_fd, .events = POLLIN};
    for (;;) {
        g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
        ssize_t got = recv(guest_fd, frame, size, 0);
        g_assert_cmpint(got, >=, 42);
        if (get_u16(frame + 12) == 0x0800 && frame[23] == IPPROTO_TCP)
            return (gsize)got;
        if (get_u16(frame + 12) != 0x0806)
            continue;
        gsize answer = make_arp_answer(frame, BERTH_ADDRESS_GUEST);
        g_assert_cmpint(send(guest_fd, frame, answer, 0), ==, answer);
    }
}

static void test_guest_reaches_a_neighbours_forward(void)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    BerthNet *net = start_net(pair[0], 1500);
    settle_net(net);

    guint16 port;
    berth_autofd int service = listen_at(0x7f000901, &port);
    guint8 frame[2000];
    Flow syn = {IPPROTO_TCP, SYN, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_NEIGHBOURS + 9, 40000, port,
                1000,        0};
    gsize size = make_frame(frame, &syn, NULL, 0);
    g_assert_cmpint(send(pair[1], frame, size, 0), ==, (gssize)size);

    receive_segment(pair[1], frame, sizeof(frame));
    g_assert_cmphex(source_of(frame), ==, BERTH_ADDRESS_NEIGHBOURS + 9);
    g_assert_cmpuint(get_u16(frame + 34), ==, port);
    g_assert_cmpuint(frame[47], ==, SYN | ACK);
    g_assert_true(checksums_are_right(frame));
    berth_autofd int connection = accept(service, NULL, NULL);
    g_assert_cmpint(connection, >=, 0);

    berth_net_free(net);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/nat/neighbours-both-ways", test_neighbours_both_ways);
    g_test_add_func("/net/nat/other-addresses-are-unchanged", test_other_addresses_are_unchanged);
    g_test_add_func("/net/nat/absent-udp-checksum-stays-absent",
                    test_absent_udp_checksum_stays_absent);
    g_test_add_func("/net/nat/later-fragment-changes-in-its-header-only",
                    test_later_fragment_changes_in_its_header_only);
    g_test_add_func("/net/nat/error-about-a-neighbour", test_error_about_a_neighbour);
    g_test_add_func("/net/nat/name-server-by-tcp", test_name_server_by_tcp);
    g_test_add_func("/net/nat/name-server-under-its-own-address",
                    test_name_server_under_its_own_address);
    g_test_add_func("/net/nat/name-server-with-ipv6", test_name_server_with_ipv6);
    g_test_add_func("/net/nat/no-name-server", test_no_name_server);
    g_test_add_func("/net/nat/flows-are-bounded", test_flows_are_bounded);
    g_test_add_func("/net/nat/random-bytes", test_random_bytes);
    g_test_add_func("/net/nat/guest-reaches-a-neighbours-forward",
                    test_guest_reaches_a_neighbours_forward);
    return g_test_run();
}
