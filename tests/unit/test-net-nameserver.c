/* SPDX-License-Identifier: MIT
 *
 * A real berth-net; this program is both its guest, which sends queries, and the host's name
 * server.
 */
#include "net/nameserver.h"

#include "base/fd.h"
#include "net/address.h"
#include "../lib/dns_query.h"
#include "../lib/frames.h"
#include "../lib/net_process.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#define WAIT_MSEC 10000
#define MTU       1500

enum { SYN = 2, RST = 4, ACK = 16 };

typedef struct {
    int frames_fd;
    int guest_fd;
    int server_fd; /* UDP and, on the same port, TCP */
    int stream_fd;
    guint16 server_port;
    BerthNet *net;
    guint8 frame[20000]; /* the last one received */
    gsize size;
} World;

/* Bind to *@port, or a free one for 0; -1 when it is in use. */
static int open_server(int type, guint16 *port)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    if (bind(fd, (struct sockaddr *)&name, size) < 0) {
        close(fd);
        return -1;
    }
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&name, &size), ==, 0);
    *port = ntohs(name.sin_port);
    return fd;
}

static void open_servers(World *world)
{
    world->stream_fd = -1;
    for (guint i = 0; i < 100 && world->stream_fd < 0; i++) {
        berth_fd_close(&world->server_fd);
        world->server_port = 0;
        world->server_fd = open_server(SOCK_DGRAM, &world->server_port);
        world->stream_fd = open_server(SOCK_STREAM, &world->server_port);
    }
    g_assert_cmpint(listen(world->stream_fd, 1), ==, 0);
}

static void send_servers(World *world)
{
    g_autofree char *text = g_strdup_printf("nameserver 127.0.0.1:%u\n", world->server_port);
    BerthResolvers list = berth_resolv_parse(text);
    g_assert_cmpuint(list.count, ==, 1);
    berth_net_set_resolvers(world->net, &list);
}

static void on_counters(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    g_assert_cmpint(errnum, ==, 0);
    *(BerthStackCounters *)user_data = *counters;
    ((BerthStackCounters *)user_data)->out.dropped = 12345;
}

/* A barrier: requests are answered in order, so earlier ones are done. */
static BerthStackCounters count(World *world)
{
    BerthStackCounters counters = {0};
    berth_net_get_counters(world->net, on_counters, &counters);
    while (counters.out.dropped == 0)
        g_main_context_iteration(NULL, TRUE);
    return counters;
}

static void setup(World *world, gconstpointer data)
{
    int pair[2];
    *world = (World){.server_fd = -1};
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    world->frames_fd = pair[0];
    world->guest_fd = pair[1];
    open_servers(world);
    world->net = start_net(world->frames_fd, MTU);
    settle_net(world->net);
}

static void teardown(World *world, gconstpointer data)
{
    berth_net_free(world->net);
    close(world->frames_fd);
    close(world->guest_fd);
    close(world->server_fd);
    close(world->stream_fd);
}

static void ask(World *world, guint id, const char *name)
{
    guint8 query[DNS_QUERY_MAX], frame[DNS_QUERY_MAX + 64];
    Flow flow = {IPPROTO_UDP, 0, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS, 40000, 53, 0, 0};
    gsize size = make_frame(frame, &flow, query, make_query(query, id, name, 1));
    g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
}

/* Answer the next query with itself and @extra bytes. */
static void answer(World *world, gsize extra)
{
    struct pollfd entry = {.fd = world->server_fd, .events = POLLIN};
    struct sockaddr_storage from;
    socklen_t from_size = sizeof(from);
    g_autofree guint8 *bytes = g_malloc0(DNS_QUERY_MAX + extra);
    g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
    ssize_t size =
        recvfrom(world->server_fd, bytes, DNS_QUERY_MAX, 0, (struct sockaddr *)&from, &from_size);
    g_assert_cmpint(size, >, 12);
    bytes[2] |= 0x80;
    g_assert_cmpint(sendto(world->server_fd, bytes, (gsize)size + extra, 0,
                           (struct sockaddr *)&from, from_size),
                    >, 0);
}

/* The next IP frame; answers ARP requests meanwhile. */
static void receive_ip(World *world)
{
    struct pollfd entry = {.fd = world->guest_fd, .events = POLLIN};
    for (;;) {
        g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
        world->size = (gsize)recv(world->guest_fd, world->frame, sizeof(world->frame), 0);
        if (get_u16(world->frame + 12) == 0x0800)
            return;
        if (get_u16(world->frame + 12) == 0x0806)
            send(world->guest_fd, world->frame, make_arp_answer(world->frame, BERTH_ADDRESS_GUEST),
                 0);
    }
}

static void receive(World *world)
{
    receive_ip(world);
    g_assert_true(checksums_are_right(world->frame));
    g_assert_cmphex(get_u32(world->frame + 30), ==, BERTH_ADDRESS_GUEST);
}

/* Returns the response code. */
static guint receive_answer(World *world, guint id)
{
    receive(world);
    g_assert_cmphex(get_u32(world->frame + 26), ==, BERTH_ADDRESS_DNS);
    g_assert_cmpuint(get_u16(world->frame + 34), ==, 53);
    g_assert_cmpuint(get_u16(world->frame + 36), ==, 40000);
    g_assert_cmphex(get_u16(world->frame + 42), ==, id);
    return world->frame[45] & 15;
}

static void test_forwards_queries(World *world, gconstpointer data)
{
    send_servers(world);
    count(world);
    ask(world, 7, "example.com");
    answer(world, 20);
    g_assert_cmpuint(receive_answer(world, 7), ==, 0);
    BerthStackCounters counters = count(world);
    g_assert_cmpuint(counters.dns.queries, ==, 1);
    g_assert_cmpuint(counters.dns.answered, ==, 1);
}

static void test_no_upstream_server(World *world, gconstpointer data)
{
    ask(world, 7, "example.com");
    g_assert_cmpuint(receive_answer(world, 7), ==, 2);
    g_assert_cmpuint(count(world).dns.no_server, ==, 1);
}

static void test_names_of_distros(World *world, gconstpointer data)
{
    berth_net_set_name(world->net, 5, "Debian");
    count(world);
    ask(world, 7, "debian.berth.internal");
    g_assert_cmpuint(receive_answer(world, 7), ==, 0);
    g_assert_cmphex(get_u32(world->frame + world->size - 4), ==, BERTH_ADDRESS_NEIGHBOURS + 5);
    berth_net_set_name(world->net, 5, "");
    count(world);
    ask(world, 8, "debian.berth.internal");
    g_assert_cmpuint(receive_answer(world, 8), ==, 3);
}

static void test_answer_larger_than_the_mtu_is_truncated(World *world, gconstpointer data)
{
    send_servers(world);
    count(world);
    ask(world, 7, "example.com");
    answer(world, MTU);
    receive_answer(world, 7);
    g_assert_cmpuint(world->frame[44] & 2, !=, 0); /* truncated */
    g_assert_cmpuint(world->size, <, 100);
}

static void test_tcp_is_forwarded_to_the_server(World *world, gconstpointer data)
{
    guint8 frame[64];
    send_servers(world);
    count(world);
    Flow syn = {IPPROTO_TCP, SYN, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS, 40000, 53, 1000, 0};
    gsize size = make_frame(frame, &syn, NULL, 0);
    g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
    receive(world);
    g_assert_cmphex(get_u32(world->frame + 26), ==, BERTH_ADDRESS_DNS);
    g_assert_cmpuint(get_u16(world->frame + 34), ==, 53);
    g_assert_cmpuint(world->frame[47], ==, SYN | ACK);
    berth_autofd int connection = accept(world->stream_fd, NULL, NULL);
    g_assert_cmpint(connection, >=, 0);
}

/* Wait until berth-net has handled that many frames and replied. */
static void wait_for_frames(World *world, guint64 frames)
{
    guint64 seen;
    do {
        BerthStackCounters counters = count(world);
        seen = 0;
        for (gsize i = 0; i < G_N_ELEMENTS(counters.verdicts); i++)
            seen += counters.verdicts[i];
    } while (seen < frames);
    count(world);
}

/* Without a server TCP must go nowhere, least of all to the host's loopback. */
static void test_tcp_reaches_no_other_port(World *world, gconstpointer data)
{
    guint8 frame[64];
    for (guint i = 0; i < 2; i++) {
        Flow syn = {IPPROTO_TCP,
                    SYN,
                    BERTH_ADDRESS_GUEST,
                    BERTH_ADDRESS_DNS,
                    (guint16)(40000 + i),
                    i == 0 ? 53 : world->server_port,
                    1000,
                    0};
        gsize size = make_frame(frame, &syn, NULL, 0);
        g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
    }
    wait_for_frames(world, 2);
    for (guint i = 0; i < 2; i++) { /* it need not wait to know */
        receive(world);
        g_assert_cmphex(get_u32(world->frame + 26), ==, BERTH_ADDRESS_DNS);
        g_assert_cmpuint(world->frame[47] & RST, !=, 0);
    }
    struct pollfd entry = {.fd = world->stream_fd, .events = POLLIN};
    g_assert_cmpint(poll(&entry, 1, 50), ==, 0);
}

static void test_echo_is_answered(World *world, gconstpointer data)
{
    guint8 frame[64];
    Flow flow = {IPPROTO_ICMP, 0, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS, 0, 0, 0, 0};
    put_ipv4(frame, &flow, 8);
    memset(frame + 34, 0, 8);
    frame[34] = 8;
    put_u16(frame + 36, fold(sum(0, frame + 34, 8)));
    g_assert_cmpint(send(world->guest_fd, frame, 42, 0), ==, 42);
    receive_ip(world);
    g_assert_cmpuint(world->frame[34], ==, 0);
}

/* Neither other ports nor fragments make libslirp forward a query. */
static void test_libslirp_sends_no_queries(World *world, gconstpointer data)
{
    guint8 query[DNS_QUERY_MAX], frame[DNS_QUERY_MAX + 64];
    gsize query_size = make_query(query, 1, "example.com", 1);
    send_servers(world);
    count(world);
    for (guint i = 0; i < 2; i++) {
        Flow flow = {IPPROTO_UDP,
                     0,
                     BERTH_ADDRESS_GUEST,
                     BERTH_ADDRESS_DNS,
                     40000,
                     i == 0 ? world->server_port : 53,
                     0,
                     0};
        gsize size = make_frame(frame, &flow, query, query_size);
        if (i == 1) { /* the last fragment completes it */
            put_u16(frame + 20, 0x2000);
            put_u16(frame + 24, 0);
            put_u16(frame + 24, fold(sum(0, frame + 14, 20)));
            send(world->guest_fd, frame, size, 0);
            put_u16(frame + 20, 1);
        }
        send(world->guest_fd, frame, size, 0);
    }
    wait_for_frames(world, 3);
    struct pollfd entry = {.fd = world->server_fd, .events = POLLIN};
    g_assert_cmpint(poll(&entry, 1, 50), ==, 0);
    g_assert_cmpuint(count(world).dns.queries, ==, 0);
}

static void test_flood_of_queries(World *world, gconstpointer data)
{
    enum { FLOOD = 20000 };
    send_servers(world);
    count(world);
    for (guint i = 0; i < FLOOD; i++)
        ask(world, i & 0xffff, "example.com");
    BerthStackCounters counters = count(world);
    while (counters.dns.queries < FLOOD)
        counters = count(world);
    g_assert_cmpuint(counters.dns.overtaken, ==, FLOOD - BERTH_DNS_PENDING_MAX);
    ask(world, 9, "host.berth.internal");
    g_assert_cmpuint(receive_answer(world, 9), ==, 0);
}

/* --- IPv6, without a process --- */

static const guint8 prefix[16] = {0xfd, 1, 2, 3, 4, 5};

typedef struct {
    guint8 bytes[1000];
    gsize size;
} Sent;

static void on_frame(const guint8 *frame, gsize size, gpointer user_data)
{
    Sent *sent = user_data;
    g_assert_cmpuint(size, <=, sizeof(sent->bytes));
    memcpy(sent->bytes, frame, size);
    sent->size = size;
}

/* A query for host.berth.internal from prefix::15 to prefix::LAST. */
static gsize make_question6(guint8 *frame, guint last, guint next_header, guint port)
{
    guint8 *ip = frame + 14, *udp = ip + 40;
    gsize size = 8 + make_query(udp + 8, 77, "host.berth.internal", 28);
    memset(frame, 0, 14 + 40 + 8);
    memcpy(frame, gateway_station, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(frame + 12, 0x86dd);
    ip[0] = 0x60;
    put_u16(ip + 4, (guint)size);
    ip[6] = (guint8)next_header;
    memcpy(ip + 8, prefix, 16);
    memcpy(ip + 24, prefix, 16);
    ip[23] = 0x15;
    ip[39] = (guint8)last;
    put_u16(udp, 40000);
    put_u16(udp + 2, port);
    put_u16(udp + 4, (guint)size);
    return 14 + 40 + size;
}

static void test_ipv6_question(void)
{
    Sent sent = {.size = 0};
    guint8 frame[500];
    g_autoptr(BerthNameserver) server = berth_nameserver_new(1500, on_frame, &sent);
    memcpy(berth_dns_names(berth_nameserver_dns(server))->prefix, prefix, sizeof(prefix));
    g_assert_cmpint(berth_nameserver_handle(server, frame, make_question6(frame, 3, 17, 53)), ==,
                    BERTH_NAMESERVER_HANDLED);
    g_assert_cmpuint(sent.size, >, 62);
    g_assert_cmpuint(get_u16(sent.bytes + 62), ==, 77);
    g_assert_cmpuint(sent.bytes[14 + 23], ==, 3); /* from prefix::3 */
    g_assert_cmpuint(sent.bytes[14 + 39], ==, 0x15);
    g_assert_cmpuint(sent.bytes[sent.size - 1], ==, 2); /* prefix::2 is the answer */
    g_assert_cmpmem(sent.bytes + sent.size - 16, 15, prefix, 15);
}

static void test_other_frames_pass(void)
{
    static const struct {
        guint last, next_header, port;
        bool prefix;
        BerthNameserverVerdict verdict;
    } cases[] = {
        {3, 17, 53, false, BERTH_NAMESERVER_OTHER}, /* there is no IPv6 */
        {2, 17, 53, true, BERTH_NAMESERVER_OTHER},
        {3, 58, 53, true, BERTH_NAMESERVER_OTHER}, /* an echo request, or one for its station */
        {3, 17, 54, true, BERTH_NAMESERVER_UNREACHABLE},
        {3, 6, 53, true, BERTH_NAMESERVER_UNREACHABLE},
        {3, 0, 53, true, BERTH_NAMESERVER_UNREACHABLE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Sent sent = {.size = 0};
        guint8 frame[500];
        g_autoptr(BerthNameserver) server = berth_nameserver_new(1500, on_frame, &sent);
        if (cases[i].prefix)
            memcpy(berth_dns_names(berth_nameserver_dns(server))->prefix, prefix, sizeof(prefix));
        gsize size = make_question6(frame, cases[i].last, cases[i].next_header, cases[i].port);
        g_assert_cmpint(berth_nameserver_handle(server, frame, size), ==, cases[i].verdict);
        g_assert_cmpuint(sent.size, ==, 0);
    }
}

static void test_every_cut(void)
{
    Sent sent = {.size = 0};
    guint8 frame[500];
    g_autoptr(BerthNameserver) server = berth_nameserver_new(1500, on_frame, &sent);
    memcpy(berth_dns_names(berth_nameserver_dns(server))->prefix, prefix, sizeof(prefix));
    gsize size = make_question6(frame, 3, 17, 53);
    for (gsize cut = 0; cut < size; cut++) {
        g_autofree guint8 *part = g_memdup2(frame, cut);
        berth_nameserver_handle(server, part, cut);
        g_assert_cmpuint(sent.size, ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/net/nameserver/" name, World, NULL, setup, function, teardown)
    ADD("forwards-queries", test_forwards_queries);
    ADD("no-upstream-server", test_no_upstream_server);
    ADD("names-of-distros", test_names_of_distros);
    ADD("answer-larger-than-the-mtu-is-truncated", test_answer_larger_than_the_mtu_is_truncated);
    ADD("tcp-is-forwarded-to-the-server", test_tcp_is_forwarded_to_the_server);
    ADD("tcp-reaches-no-other-port", test_tcp_reaches_no_other_port);
    ADD("echo-is-answered", test_echo_is_answered);
    ADD("libslirp-sends-no-queries", test_libslirp_sends_no_queries);
    ADD("flood-of-queries", test_flood_of_queries);
    g_test_add_func("/net/nameserver/ipv6-question", test_ipv6_question);
    g_test_add_func("/net/nameserver/other-frames-pass", test_other_frames_pass);
    g_test_add_func("/net/nameserver/every-cut", test_every_cut);
    return g_test_run();
}
