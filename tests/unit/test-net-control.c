/* SPDX-License-Identifier: MIT
 *
 * A real berth-net between this program as its keeper and this program as its guest: a guest of a
 * few functions that speaks just enough ARP and TCP to answer a forwarded connection.
 */
#include "net/control.h"

#include "base/error.h"
#include "base/fd.h"
#include "net/address.h"
#include "../lib/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MSEC 10000

typedef struct {
    int frames_fd; /* berth-net's end */
    int guest_fd;
    BerthNet *net;
    guint exits;
} World;

/* --- the keeper ------------------------------------------------------------------------------- */

static char *program(void)
{
    const char *directory = g_getenv("BERTH_TEST_PROGRAMS");
    g_assert_nonnull(directory);
    return g_build_filename(directory, "berth-net", NULL);
}

static void on_exit_count(BerthNet *net, gpointer user_data)
{
    World *world = user_data;
    g_assert_true(net == world->net);
    world->exits++;
}

static const BerthNetEvents events = {.exited = on_exit_count};

static void start(World *world)
{
    g_autofree char *path = program();
    g_autoptr(GError) error = NULL;
    const BerthNetSetup setup = {.mtu = 16384, .prefix6 = {0xfd, 0xbe}};
    world->net = berth_net_new(path, world->frames_fd, &setup, &events, world, &error);
    g_assert_no_error(error);
}

static void setup(World *world, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    world->frames_fd = pair[0];
    world->guest_fd = pair[1];
    world->exits = 0;
    start(world);
}

static void teardown(World *world, gconstpointer data)
{
    berth_net_free(world->net);
    berth_fd_close(&world->frames_fd);
    berth_fd_close(&world->guest_fd);
}

/* A done callback's user data: -1 until it is called. */
static void on_done(int errnum, gpointer user_data)
{
    int *result = user_data;
    g_assert_cmpint(*result, ==, -1);
    *result = errnum;
}

static int wait_for(int *result)
{
    g_assert_cmpint(*result, ==, -1); /* never before the call has returned */
    while (*result < 0)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

/* 127.0.0.1:@port and the guest's port of that number. */
static BerthLeg leg_of(guint16 port)
{
    return (BerthLeg){.protocol = BERTH_TCP,
                      .family = 4,
                      .host = {127, 0, 0, 1},
                      .guest = {10, 0, 2, 15},
                      .host_port = port,
                      .guest_port = port};
}

static int add_leg(World *world, const BerthLeg *leg)
{
    int result = -1;
    berth_net_add(world->net, leg, on_done, &result);
    return wait_for(&result);
}

static int add(World *world, guint16 port)
{
    BerthLeg leg = leg_of(port);
    return add_leg(world, &leg);
}

static int drop(World *world, guint16 port)
{
    int result = -1;
    BerthLeg leg = leg_of(port);
    berth_net_remove(world->net, &leg, on_done, &result);
    return wait_for(&result);
}

typedef struct {
    int result;
    BerthStackCounters counters;
} Counted;

static void on_counters(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    Counted *counted = user_data;
    counted->result = errnum;
    if (counters != NULL)
        counted->counters = *counters;
}

static BerthStackCounters count(World *world)
{
    Counted counted = {.result = -1};
    berth_net_get_counters(world->net, on_counters, &counted);
    g_assert_cmpint(wait_for(&counted.result), ==, 0);
    return counted.counters;
}

/* --- the host's side -------------------------------------------------------------------------- */

static struct sockaddr_in localhost(guint16 port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listener on a port of the system's choice. */
static int listen_somewhere(guint16 *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = localhost(0);
    socklen_t size = sizeof(address);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static guint16 free_port(void)
{
    guint16 port;
    close(listen_somewhere(&port));
    return port;
}

static int start_connect(guint16 port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = localhost(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        g_assert_cmpint(errno, ==, EINPROGRESS);
    return fd;
}

/* 0 when connected, the errno otherwise; ETIMEDOUT after @msec. */
static int connect_result(int fd, int msec)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    if (poll(&entry, 1, msec) != 1)
        return ETIMEDOUT;
    int errnum = 0;
    g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &(socklen_t){sizeof(int)}), ==,
                    0);
    return errnum;
}

static int try_connect(guint16 port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = localhost(port);
    int errnum = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
    close(fd);
    return errnum;
}

/* --- the guest's side ------------------------------------------------------------------------- */

static const guint8 guest_station[6] = {0x52, 0x54, 0, 1, 2, 3};
static const guint8 gateway_station[6] = {0x52, 0x55, 10, 0, 2, 2};

typedef struct {
    guint8 bytes[20000];
    gsize size;
} Frame;

typedef struct {
    guint32 source, destination;
    guint16 source_port, destination_port;
    guint32 sequence, acknowledged;
    guint8 flags;
    const guint8 *data;
    gsize size;
} Segment;

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static void put_ethernet(guint8 *frame, guint type)
{
    memcpy(frame, gateway_station, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(frame + 12, type);
}

static void guest_send(World *world, const guint8 *frame, gsize size)
{
    g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
}

static void guest_send_arp(World *world, guint operation, guint32 sender, guint32 target)
{
    guint8 frame[42] = {0};
    static const guint8 head[6] = {0, 1, 8, 0, 6, 4};
    put_ethernet(frame, 0x0806);
    memcpy(frame + 14, head, sizeof(head));
    put_u16(frame + 20, operation);
    memcpy(frame + 22, guest_station, 6);
    put_u32(frame + 28, sender);
    put_u32(frame + 38, target);
    guest_send(world, frame, sizeof(frame));
}

static void guest_send_segment(World *world, const Segment *segment)
{
    guint8 frame[2000] = {0};
    guint8 *ip = frame + 14, *tcp = ip + 20;
    gsize tcp_size = 20 + segment->size;
    put_ethernet(frame, 0x0800);
    ip[0] = 0x45;
    put_u16(ip + 2, (guint)(20 + tcp_size));
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    put_u32(ip + 12, segment->source);
    put_u32(ip + 16, segment->destination);
    put_u16(ip + 10, fold(sum(0, ip, 20)));

    put_u16(tcp, segment->source_port);
    put_u16(tcp + 2, segment->destination_port);
    put_u32(tcp + 4, segment->sequence);
    put_u32(tcp + 8, segment->acknowledged);
    tcp[12] = 0x50;
    tcp[13] = segment->flags;
    put_u16(tcp + 14, 65535);
    if (segment->size > 0)
        memcpy(tcp + 20, segment->data, segment->size);
    guint32 pseudo = sum(0, ip + 12, 8) + IPPROTO_TCP + (guint32)tcp_size;
    put_u16(tcp + 16, fold(sum(pseudo, tcp, tcp_size)));
    guest_send(world, frame, 34 + tcp_size);
}

/* False when none came in time. */
static bool guest_receive(World *world, Frame *frame, int msec)
{
    struct pollfd entry = {.fd = world->guest_fd, .events = POLLIN};
    if (poll(&entry, 1, msec) != 1)
        return false;
    ssize_t size = recv(world->guest_fd, frame->bytes, sizeof(frame->bytes), 0);
    g_assert_cmpint(size, >=, 42);
    frame->size = (gsize)size;
    return true;
}

/* The next TCP segment to the guest; questions for its addresses are answered on the way. */
static bool guest_receive_segment(World *world, Frame *frame, Segment *ret_segment, int msec)
{
    while (guest_receive(world, frame, msec)) {
        const guint8 *ip = frame->bytes + 14;
        guint type = get_u16(frame->bytes + 12);
        if (type == 0x0806 && get_u16(ip + 6) == 1)
            guest_send_arp(world, 2, get_u32(ip + 24), get_u32(ip + 14));
        if (type != 0x0800 || ip[9] != IPPROTO_TCP)
            continue;

        const guint8 *tcp = ip + 20;
        gsize header = (gsize)(tcp[12] >> 4) * 4;
        *ret_segment = (Segment){.source = get_u32(ip + 12),
                                 .destination = get_u32(ip + 16),
                                 .source_port = get_u16(tcp),
                                 .destination_port = get_u16(tcp + 2),
                                 .sequence = get_u32(tcp + 4),
                                 .acknowledged = get_u32(tcp + 8),
                                 .flags = tcp[13],
                                 .data = tcp + header,
                                 .size = get_u16(ip + 2) - 20 - header};
        return true;
    }
    return false;
}

/* What answers @got, from @sequence on. */
static Segment answer_to(const Segment *got, guint32 sequence, guint8 flags)
{
    return (Segment){.source = got->destination,
                     .destination = got->source,
                     .source_port = got->destination_port,
                     .destination_port = got->source_port,
                     .sequence = sequence,
                     .acknowledged =
                         got->sequence + (guint32)got->size + ((got->flags & SYN) != 0 ? 1 : 0),
                     .flags = flags};
}

/* One connection to @port: what the client writes is sent back to it. */
static void check_echo(World *world, guint16 port, guint32 guest_address)
{
    berth_autofd int client = start_connect(port);
    g_assert_cmpint(connect_result(client, WAIT_MSEC), ==, 0);
    g_assert_cmpint(write(client, "hello", 5), ==, 5);

    Frame frame;
    Segment got;
    do /* an earlier connection may still be ending */
        g_assert_true(guest_receive_segment(world, &frame, &got, WAIT_MSEC));
    while (got.flags != SYN);
    g_assert_cmphex(got.source, ==, BERTH_ADDRESS_HOST);
    g_assert_cmphex(got.destination, ==, guest_address);
    g_assert_cmpuint(got.destination_port, ==, port);
    Segment answer = answer_to(&got, 1000, SYN | ACK);
    guest_send_segment(world, &answer);

    do
        g_assert_true(guest_receive_segment(world, &frame, &got, WAIT_MSEC));
    while (got.size == 0);
    g_assert_cmpmem(got.data, got.size, "hello", 5);
    answer = answer_to(&got, 1001, ACK | PSH);
    answer.data = got.data;
    answer.size = got.size;
    guest_send_segment(world, &answer);

    struct pollfd entry = {.fd = client, .events = POLLIN};
    char text[16];
    g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
    g_assert_cmpint(read(client, text, sizeof(text)), ==, 5);
    g_assert_cmpmem(text, 5, "hello", 5);

    answer = answer_to(&got, 1006, RST | ACK);
    guest_send_segment(world, &answer);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_forward_reaches_the_guest(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(try_connect(port), ==, ECONNREFUSED);
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
}

static void test_a_reset_of_the_guest_is_the_clients(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    berth_autofd int client = start_connect(port);
    g_assert_cmpint(connect_result(client, WAIT_MSEC), ==, 0);
    Frame frame;
    Segment got;
    g_assert_true(guest_receive_segment(world, &frame, &got, WAIT_MSEC));
    Segment answer = answer_to(&got, 1000, SYN | ACK);
    guest_send_segment(world, &answer);
    g_assert_true(guest_receive_segment(world, &frame, &got, WAIT_MSEC));
    answer = answer_to(&got, 1001, RST | ACK);
    guest_send_segment(world, &answer);

    struct pollfd entry = {.fd = client, .events = POLLIN};
    g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
    char byte;
    g_assert_cmpint(read(client, &byte, 1), ==, -1);
    g_assert_cmpint(errno, ==, ECONNRESET);
}

static void test_forward_to_another_port_of_another_address(World *world, gconstpointer data)
{
    BerthLeg leg = leg_of(free_port());
    leg.guest_port = 81;
    leg.host[2] = 9; /* 127.0.9.1 */
    g_assert_cmpint(add_leg(world, &leg), ==, 0);
    g_assert_cmpint(try_connect(leg.host_port), ==, ECONNREFUSED);
    leg.host[2] = 0;
    g_assert_cmpint(add_leg(world, &leg), ==, 0);
    g_assert_cmpint(try_connect(leg.host_port), ==, 0);
    Frame frame;
    Segment syn;
    g_assert_true(guest_receive_segment(world, &frame, &syn, WAIT_MSEC));
    g_assert_cmpuint(syn.destination_port, ==, 81);
}

static void test_many_clients_at_once_are_taken(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);

    /* Nobody accepts now, so the backlog is all there is. */
    kill(berth_net_pid(world->net), SIGSTOP);
    int clients[100];
    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = start_connect(port);
    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++)
        g_assert_cmpint(connect_result(clients[i], 500), ==, 0);
    kill(berth_net_pid(world->net), SIGCONT);
    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++)
        close(clients[i]);
}

static void test_busy_port_is_reported(World *world, gconstpointer data)
{
    guint16 port;
    berth_autofd int holder = listen_somewhere(&port);
    g_assert_cmpint(add(world, port), ==, EADDRINUSE);
    berth_fd_close(&holder);
    g_assert_cmpint(add(world, port), ==, 0);
    g_assert_cmpint(add(world, port), ==, EADDRINUSE);
}

static void test_privileged_port_is_reported(World *world, gconstpointer data)
{
    g_autofree char *lowest = NULL;
    g_assert_true(
        g_file_get_contents("/proc/sys/net/ipv4/ip_unprivileged_port_start", &lowest, NULL, NULL));
    if (g_ascii_strtoull(lowest, NULL, 10) <= 1) {
        g_test_skip("this host has no privileged ports");
        return;
    }
    g_assert_cmpint(add(world, 1), ==, EACCES); /* root or not: capabilities are dropped */
}

static void test_removed_forward_refuses(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    g_assert_cmpint(try_connect(port), ==, 0);
    g_assert_cmpint(drop(world, port), ==, 0);
    g_assert_cmpint(try_connect(port), ==, ECONNREFUSED);
    g_assert_cmpint(drop(world, port), ==, ENOENT);
    g_assert_cmpint(add(world, port), ==, 0);
}

static void test_forwards_may_be_many(World *world, gconstpointer data)
{
    enum { MANY = 300 };
    int results[MANY];
    guint opened = 0;
    for (guint i = 0; i < MANY; i++) {
        results[i] = -1;
        BerthLeg leg = leg_of((guint16)(20000 + i));
        berth_net_add(world->net, &leg, on_done, &results[i]);
    }
    for (guint i = 0; i < MANY; i++) {
        while (results[i] < 0)
            g_main_context_iteration(NULL, TRUE);
        g_assert_true(results[i] == 0 || results[i] == EADDRINUSE);
        opened += results[i] == 0;
    }
    g_assert_cmpuint(opened, >, MANY / 2);
}

static void test_slow_guest_gets_every_frame(World *world, gconstpointer data)
{
    enum { QUESTIONS = 20000 }; /* more than any socket holds */
    for (guint i = 0; i < QUESTIONS; i++)
        guest_send_arp(world, 1, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS);
    while (count(world).verdicts[BERTH_FILTER_PASS] < QUESTIONS)
        ;
    g_assert_cmpuint(count(world).waited, >, 0);

    Frame frame;
    for (guint i = 0; i < QUESTIONS; i++) {
        g_assert_true(guest_receive(world, &frame, WAIT_MSEC));
        g_assert_cmpuint(get_u16(frame.bytes + 20), ==, 2);
        g_assert_cmphex(get_u32(frame.bytes + 28), ==, BERTH_ADDRESS_DNS);
    }
    BerthStackCounters counters = count(world);
    g_assert_cmpuint(counters.frames_out, ==, QUESTIONS);
    g_assert_cmpuint(counters.dropped, ==, 0);
}

static void test_guest_that_never_reads_costs_a_bounded_amount(World *world, gconstpointer data)
{
    while (count(world).dropped == 0)
        for (guint i = 0; i < 2000; i++)
            guest_send_arp(world, 1, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS);
    BerthStackCounters counters = count(world);
    g_assert_cmpuint(counters.waited * 64, <=, BERTH_STACK_QUEUE_MAX);

    Frame frame; /* and it is as before once the guest reads again */
    while (guest_receive(world, &frame, 1000))
        ;
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
}

static void test_nonsense_is_counted_and_survived(World *world, gconstpointer data)
{
    guint8 frame[200];
    for (guint i = 0; i < 5000; i++) {
        gsize size = (gsize)g_test_rand_int_range(1, sizeof(frame));
        for (gsize j = 0; j < size; j++)
            frame[j] = (guint8)g_test_rand_int();
        if (size > 14)
            put_ethernet(frame, i % 2 == 0 ? 0x0800 : 0x0806);
        guest_send(world, frame, size);
    }
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
    g_assert_cmpuint(count(world).verdicts[BERTH_FILTER_MALFORMED], >, 1000);
}

static void test_end_of_the_process_is_told(World *world, gconstpointer data)
{
    int result = -1, late = -1;
    BerthLeg leg = leg_of(free_port());
    kill(berth_net_pid(world->net), SIGKILL);
    berth_net_add(world->net, &leg, on_done, &result);
    g_assert_cmpint(wait_for(&result), ==, ECONNRESET);
    while (world->exits == 0)
        g_main_context_iteration(NULL, TRUE);
    berth_net_add(world->net, &leg, on_done, &late);
    g_assert_cmpint(wait_for(&late), ==, ECONNRESET);
    g_assert_cmpuint(world->exits, ==, 1);
}

static void test_next_process_goes_on_with_the_frames(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
    kill(berth_net_pid(world->net), SIGKILL);
    while (world->exits == 0)
        g_main_context_iteration(NULL, TRUE);
    berth_net_free(world->net);

    start(world);
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
}

static void test_freeing_cancels_what_is_pending(World *world, gconstpointer data)
{
    int result = -1;
    BerthLeg leg = leg_of(free_port());
    GPid pid = berth_net_pid(world->net);
    berth_net_add(world->net, &leg, on_done, &result);
    berth_net_free(g_steal_pointer(&world->net));
    g_assert_cmpint(result, ==, ECANCELED);
    g_assert_cmpuint(world->exits, ==, 0);
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

static void test_missing_program(void)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    g_autoptr(GError) error = NULL;
    const BerthNetSetup setup = {.mtu = 1500};
    g_assert_null(berth_net_new("/nonexistent/berth-net", pair[0], &setup, &events, NULL, &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_NOT_FOUND));
    g_assert_cmpstr(berth_error_id(error), ==, "net.start.missing");
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/net/control/" name, World, NULL, setup, function, teardown)
    ADD("forward-reaches-the-guest", test_forward_reaches_the_guest);
    ADD("a-reset-of-the-guest-is-the-clients", test_a_reset_of_the_guest_is_the_clients);
    ADD("forward-to-another-port-of-another-address",
        test_forward_to_another_port_of_another_address);
    ADD("many-clients-at-once-are-taken", test_many_clients_at_once_are_taken);
    ADD("busy-port-is-reported", test_busy_port_is_reported);
    ADD("privileged-port-is-reported", test_privileged_port_is_reported);
    ADD("removed-forward-refuses", test_removed_forward_refuses);
    ADD("forwards-may-be-many", test_forwards_may_be_many);
    ADD("slow-guest-gets-every-frame", test_slow_guest_gets_every_frame);
    ADD("guest-that-never-reads-costs-a-bounded-amount",
        test_guest_that_never_reads_costs_a_bounded_amount);
    ADD("nonsense-is-counted-and-survived", test_nonsense_is_counted_and_survived);
    ADD("end-of-the-process-is-told", test_end_of_the_process_is_told);
    ADD("next-process-goes-on-with-the-frames", test_next_process_goes_on_with_the_frames);
    ADD("freeing-cancels-what-is-pending", test_freeing_cancels_what_is_pending);
    g_test_add_func("/net/control/missing-program", test_missing_program);
    return g_test_run();
}
