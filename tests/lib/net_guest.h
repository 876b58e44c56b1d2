/* SPDX-License-Identifier: MIT
 *
 * net_guest — a real berth-net; the test is its keeper and its guest, which speaks just enough ARP
 * and TCP to answer a forwarded connection.
 */
#pragma once

#include "net/client.h"

#include "base/fd.h"
#include "net/address.h"
#include "frames.h"
#include "free_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define WAIT_MSEC 120000 /* for what must happen, on a busy machine too */

typedef struct {
    int frames_fd; /* berth-net's end */
    int guest_fd;
    BerthNet *net;
    guint exits;
} World;

/* --- the keeper --- */

static inline char *program(void)
{
    const char *directory = g_getenv("BERTH_TEST_PROGRAMS");
    g_assert_nonnull(directory);
    return g_build_filename(directory, "berth-net", NULL);
}

static inline void on_exit_count(BerthNet *net, gpointer user_data)
{
    World *world = user_data;
    g_assert_true(net == world->net);
    world->exits++;
}

static const BerthNetEvents events = {.exited = on_exit_count};

static inline void start(World *world)
{
    g_autofree char *path = program();
    g_autoptr(GError) error = NULL;
    const BerthNetSetup setup = {.mtu = 16384, .prefix6 = {0xfd, 0xbe}};
    world->net = berth_net_new(path, world->frames_fd, &setup, &events, world, &error);
    g_assert_no_error(error);
}

static inline void setup(World *world, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    world->frames_fd = pair[0];
    world->guest_fd = pair[1];
    world->exits = 0;
    start(world);
}

static inline void teardown(World *world, gconstpointer data)
{
    berth_net_free(world->net);
    berth_fd_close(&world->frames_fd);
    berth_fd_close(&world->guest_fd);
}

/* A done callback's user data: -1 until it is called. */
static inline void on_done(int errnum, gpointer user_data)
{
    int *result = user_data;
    g_assert_cmpint(*result, ==, -1);
    *result = errnum;
}

static inline int wait_for(int *result)
{
    g_assert_cmpint(*result, ==, -1); /* never before the call returns */
    while (*result < 0)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

/* 127.0.0.1:@port to the same port of the guest. */
static inline BerthLeg leg_of(guint16 port)
{
    return (BerthLeg){.protocol = BERTH_TCP,
                      .family = 4,
                      .host = {127, 0, 0, 1},
                      .guest = {10, 0, 2, 15},
                      .host_port = port,
                      .guest_port = port};
}

static inline int add_leg(World *world, const BerthLeg *leg)
{
    int result = -1;
    berth_net_add(world->net, leg, on_done, &result);
    return wait_for(&result);
}

static inline int add(World *world, guint16 port)
{
    BerthLeg leg = leg_of(port);
    return add_leg(world, &leg);
}

static inline int drop(World *world, guint16 port)
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

static inline void on_counters(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    Counted *counted = user_data;
    counted->result = errnum;
    if (counters != NULL)
        counted->counters = *counters;
}

static inline BerthStackCounters count(World *world)
{
    Counted counted = {.result = -1};
    berth_net_get_counters(world->net, on_counters, &counted);
    g_assert_cmpint(wait_for(&counted.result), ==, 0);
    return counted.counters;
}

/* --- the host's side --- */

static inline struct sockaddr_in localhost(guint16 port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Listen on a free port. */
static inline int listen_somewhere(guint16 *ret_port)
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

static inline int start_connect_to(guint32 to, guint16 port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = localhost(port);
    address.sin_addr.s_addr = htonl(to);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        g_assert_cmpint(errno, ==, EINPROGRESS);
    return fd;
}

static inline int start_connect(guint16 port)
{
    return start_connect_to(INADDR_LOOPBACK, port);
}

/* 0 when connected, the errno otherwise; ETIMEDOUT after @msec. */
static inline int connect_result(int fd, int msec)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    if (poll(&entry, 1, msec) != 1)
        return ETIMEDOUT;
    int errnum = 0;
    g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &(socklen_t){sizeof(int)}), ==,
                    0);
    return errnum;
}

static inline int try_connect(guint16 port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = localhost(port);
    int errnum = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
    close(fd);
    return errnum;
}

/* --- the guest's side --- */

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

static inline void put_ethernet(guint8 *frame, guint type)
{
    memcpy(frame, gateway_station, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(frame + 12, type);
}

static inline void guest_send(World *world, const guint8 *frame, gsize size)
{
    g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
}

static inline void guest_send_arp(World *world, guint operation, guint32 sender, guint32 target)
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

static inline void guest_send_segment(World *world, const Segment *segment)
{
    guint8 frame[2000];
    const Flow flow = {IPPROTO_TCP,          segment->flags,       segment->source,
                       segment->destination, segment->source_port, segment->destination_port,
                       segment->sequence,    segment->acknowledged};
    guest_send(world, frame, make_frame(frame, &flow, segment->data, segment->size));
}

/* False on timeout. */
static inline bool guest_receive(World *world, Frame *frame, int msec)
{
    struct pollfd entry = {.fd = world->guest_fd, .events = POLLIN};
    if (poll(&entry, 1, msec) != 1)
        return false;
    ssize_t size = recv(world->guest_fd, frame->bytes, sizeof(frame->bytes), 0);
    g_assert_cmpint(size, >=, 42);
    frame->size = (gsize)size;
    return true;
}

/* The next TCP segment to the guest; answers ARP and neighbour requests meanwhile. */
static inline bool guest_receive_segment(World *world, Frame *frame, Segment *ret_segment, int msec)
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

/* A reply to @got with @sequence. */
static inline Segment answer_to(const Segment *got, guint32 sequence, guint8 flags)
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

/* One connection to @port: the guest echoes the client's data. */
static inline void check_echo(World *world, guint16 port, guint32 guest_address)
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
