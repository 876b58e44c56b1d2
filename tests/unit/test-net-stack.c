/* SPDX-License-Identifier: MIT
 *
 * A real berth-net; this program is its guest, which is stopped or suspended at times.
 */
#include "net/stack.h"

#include "base/fd.h"
#include "net/address.h"
#include "sandbox/sandbox.h"
#include "../lib/frames.h"
#include "../lib/free_port.h"
#include "../lib/net_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_MSEC 10000
#define MIB       (1024u * 1024)

enum { SYN = 2, PSH = 8, ACK = 16 };

typedef struct {
    int frames_fd;
    int guest_fd;
    guint16 port; /* forwarded */
    BerthNet *net;
    bool watched;
    gint64 wait_usec; /* as of the last watch */
    guint wakes;      /* reported */
} World;

static void on_done(int errnum, gpointer user_data)
{
    *(int *)user_data = errnum;
}

static void forward(World *world, BerthProtocol protocol)
{
    int result = -1;
    const BerthLeg leg = {.protocol = protocol,
                          .family = 4,
                          .host = {127, 0, 0, 1},
                          .host_port = world->port,
                          .guest = {10, 0, 2, 15},
                          .guest_port = world->port};
    berth_net_add(world->net, &leg, on_done, &result);
    while (result < 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(result, ==, 0);
}

static void setup(World *world, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, pair), ==, 0);
    *world = (World){.frames_fd = pair[0], .guest_fd = pair[1], .port = free_port()};
    world->net = start_net(world->frames_fd, 16384);
    forward(world, BERTH_TCP);
}

static void teardown(World *world, gconstpointer data)
{
    berth_net_free(world->net);
    berth_fd_close(&world->frames_fd);
    berth_fd_close(&world->guest_fd);
}

static int connect_by(World *world, int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(world->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    g_assert_cmpint(connect(fd, (struct sockaddr *)&name, sizeof(name)), ==, 0);
    g_assert_cmpint(berth_fd_set_nonblocking(fd, true), ==, 0);
    return fd;
}

static int connect_client(World *world)
{
    return connect_by(world, SOCK_STREAM);
}

/* --- memory --- */

static gsize memory_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *text = NULL;
    gsize kib;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    const char *line = strstr(text, "\nVmRSS:");
    g_assert_nonnull(line);
    g_assert_cmpint(sscanf(line, "\nVmRSS: %zu kB", &kib), ==, 1);
    return kib * 1024;
}

/* The guest accepts the next connection. */
static void accept_in_guest(World *world)
{
    guint8 frame[20000];
    do {
        struct pollfd entry = {.fd = world->guest_fd, .events = POLLIN};
        g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
        recv(world->guest_fd, frame, sizeof(frame), 0);
        if (get_u16(frame + 12) == 0x0806 && frame[21] == 1)
            send(world->guest_fd, frame, make_arp_answer(frame, BERTH_ADDRESS_GUEST), 0);
    } while (get_u16(frame + 12) != 0x0800 || frame[23] != IPPROTO_TCP || frame[47] != SYN);

    Flow answer = {IPPROTO_TCP,
                   SYN | ACK,
                   get_u32(frame + 30),
                   get_u32(frame + 26),
                   get_u16(frame + 36),
                   get_u16(frame + 34),
                   1000,
                   get_u32(frame + 38) + 1};
    gsize size = make_frame(frame, &answer, NULL, 0);
    g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
}

static void on_frames(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    g_assert_cmpint(errnum, ==, 0);
    *(guint64 *)user_data = counters->out.frames + counters->out.waited + counters->out.dropped;
}

/* How many frames for the guest libslirp has made, and a few twice: those that waited first. */
static guint64 frames_made(World *world)
{
    guint64 made = G_MAXUINT64;
    berth_net_get_counters(world->net, on_frames, &made);
    while (made == G_MAXUINT64)
        g_main_context_iteration(NULL, TRUE);
    return made;
}

/* Write once to each socket that accepts something within a moment. */
static gsize pour_once(const int *clients, guint count)
{
    static const guint8 block[65536];
    gsize poured = 0;
    g_autofree struct pollfd *polls = g_new0(struct pollfd, count);
    for (guint i = 0; i < count; i++)
        polls[i] = (struct pollfd){.fd = clients[i], .events = POLLOUT};
    if (poll(polls, count, 20) > 0)
        for (guint i = 0; i < count; i++)
            if ((polls[i].revents & POLLOUT) != 0)
                poured += (gsize)MAX(write(clients[i], block, sizeof(block)), 0);
    return poured;
}

/* Write until no socket accepts more while libslirp retransmits once for each connection. */
static gsize pour(World *world, const int *clients, guint count)
{
    gsize poured = 0;
    for (guint64 made, goal = G_MAXUINT64; (made = frames_made(world)) < goal;) {
        gsize size = pour_once(clients, count);
        poured += size;
        if (size > 0 || goal == G_MAXUINT64)
            goal = made + count;
    }
    return poured;
}

/* A stopped QEMU holds the socket and reads nothing. Each connection may use libslirp's buffers,
 * and all together the bounded queue. */
static void test_backlog_of_a_stopped_guest_is_bounded(World *world, gconstpointer data)
{
    enum { CLIENTS = 40, BUFFERS = 512 * 1024 };
    int clients[CLIENTS];
    for (guint i = 0; i < CLIENTS; i++) {
        clients[i] = connect_client(world);
        accept_in_guest(world);
    }
    gsize before = memory_of(berth_net_pid(world->net));
    gsize poured = pour(world, clients, CLIENTS);
    gsize full = memory_of(berth_net_pid(world->net));
    pour(world, clients, CLIENTS);
    gsize later = memory_of(berth_net_pid(world->net));
    g_test_message("%zu KiB before, %zu KiB after %zu KiB, %zu KiB later", before / 1024,
                   full / 1024, poured / 1024, later / 1024);
#ifndef BERTH_SANITIZED /* whose shadow memory counts too */
    g_assert_cmpuint(later, <, before + BERTH_OUTBOX_MAX + CLIENTS * BUFFERS);
    g_assert_cmpuint(later, <, BERTH_OUTBOX_MAX + CLIENTS * BUFFERS + 6 * MIB);
#endif
    for (guint i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

/* --- a guest to be woken --- */

static void on_watched(int errnum, gint64 wait_usec, gpointer user_data)
{
    World *world = user_data;
    g_assert_cmpint(errnum, ==, 0);
    world->watched = true;
    world->wait_usec = wait_usec;
}

static void on_wake(gpointer user_data)
{
    World *world = user_data;
    g_assert_true(world->watched);
    world->wakes++;
}

static void watch(World *world)
{
    world->watched = false;
    berth_net_watch(world->net, on_watched, on_wake, world);
    while (!world->watched)
        g_main_context_iteration(NULL, TRUE);
}

static void expect_wakes(World *world, guint wakes)
{
    while (world->wakes < wakes)
        g_main_context_iteration(NULL, TRUE);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, wakes);
}

/* Send a question to the gateway and receive the answer, after which berth-net knows the guest. */
static void introduce(World *world)
{
    guint8 frame[64], answer[2048];
    gsize size = make_arp_question(frame, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_HOST);
    g_assert_cmpint(send(world->guest_fd, frame, size, 0), ==, (gssize)size);
    struct pollfd entry = {.fd = world->guest_fd, .events = POLLIN};
    g_assert_cmpint(poll(&entry, 1, WAIT_MSEC), ==, 1);
    g_assert_cmpint(recv(world->guest_fd, answer, sizeof(answer), 0), >=, 42);
    g_assert_cmphex(get_u16(answer + 12), ==, 0x0806);
}

static void test_client_of_a_suspended_guest_wakes_it_once(World *world, gconstpointer data)
{
    berth_autofd int unwatched = connect_client(world);
    accept_in_guest(world);
    watch(world);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 0);

    berth_autofd int first = connect_client(world);
    expect_wakes(world, 1);
    berth_autofd int second = connect_client(world);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 1);
    accept_in_guest(world); /* their frames wait until it wakes */
    accept_in_guest(world);

    watch(world); /* one notice for two requests */
    watch(world);
    berth_autofd int third = connect_client(world);
    expect_wakes(world, 2);
    berth_autofd int fourth = connect_client(world);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 2);
}

static void test_data_of_an_open_connection_wakes(World *world, gconstpointer data)
{
    berth_autofd int client = connect_client(world);
    accept_in_guest(world);
    watch(world);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 0);
    g_assert_cmpint(write(client, "hello", 5), ==, 5);
    expect_wakes(world, 1);
}

static void test_end_of_an_open_connection_wakes(World *world, gconstpointer data)
{
    int client = connect_client(world);
    accept_in_guest(world);
    watch(world);
    close(client);
    expect_wakes(world, 1);
}

/* The first client of a guest that berth-net does not know: it asks for its station. */
static void test_unknown_station_wakes(World *world, gconstpointer data)
{
    watch(world);
    berth_autofd int client = connect_client(world);
    expect_wakes(world, 1);
    accept_in_guest(world);
}

static void on_active(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    g_assert_cmpint(errnum, ==, 0);
    *(guint64 *)user_data = counters->active;
}

static guint64 active_frames(World *world)
{
    guint64 active = G_MAXUINT64;
    berth_net_get_counters(world->net, on_active, &active);
    while (active == G_MAXUINT64)
        g_main_context_iteration(NULL, TRUE);
    return active;
}

/* Connecting and sending is activity, answers and acknowledgements are none. */
static void test_active_frames_are_counted(World *world, gconstpointer data)
{
    introduce(world);
    settle_net(world->net);
    guint64 before = active_frames(world);
    for (guint i = 0; i < 5; i++)
        introduce(world);
    settle_net(world->net);
    g_assert_cmpuint(active_frames(world), ==, before);
    berth_autofd int client = connect_client(world);
    accept_in_guest(world);
    guint64 connected = active_frames(world);
    g_assert_cmpuint(connected, >, before);
    watch(world);
    g_assert_cmpint(write(client, "hello", 5), ==, 5);
    expect_wakes(world, 1);
    g_assert_cmpuint(active_frames(world), >, connected);
}

static void test_answers_do_not_wake(World *world, gconstpointer data)
{
    introduce(world);
    watch(world);
    for (guint i = 0; i < 5; i++)
        introduce(world);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 0);
}

static void test_datagram_to_a_suspended_guest_wakes_it_once(World *world, gconstpointer data)
{
    forward(world, BERTH_UDP);
    introduce(world);
    berth_autofd int client = connect_by(world, SOCK_DGRAM);
    g_assert_cmpint(send(client, "early", 5, 0), ==, 5);
    settle_net(world->net);
    watch(world);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 0);

    g_assert_cmpint(send(client, "hello", 5, 0), ==, 5);
    expect_wakes(world, 1);
    g_assert_cmpint(send(client, "again", 5, 0), ==, 5);
    settle_net(world->net);
    g_assert_cmpuint(world->wakes, ==, 1);
}

/* A suspend before the answer would leave the client waiting. */
static void test_a_request_without_an_answer_is_waited_for(World *world, gconstpointer data)
{
    berth_autofd int client = connect_client(world);
    accept_in_guest(world);
    guint64 connected = active_frames(world);
    g_assert_cmpint(write(client, "hello", 5), ==, 5);
    while (active_frames(world) == connected)
        continue;
    watch(world);
    g_assert_cmpint(world->wait_usec, >, BERTH_ACTIVITY_QUIET_USEC);
    g_assert_cmpint(world->wait_usec, <=, BERTH_ACTIVITY_ANSWER_USEC);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/net/stack/" name, World, NULL, setup, function, teardown)
    ADD("backlog-of-a-stopped-guest-is-bounded", test_backlog_of_a_stopped_guest_is_bounded);
    ADD("request-without-an-answer-is-waited-for", test_a_request_without_an_answer_is_waited_for);
    ADD("client-of-a-suspended-guest-wakes-it-once",
        test_client_of_a_suspended_guest_wakes_it_once);
    ADD("data-of-an-open-connection-wakes", test_data_of_an_open_connection_wakes);
    ADD("end-of-an-open-connection-wakes", test_end_of_an_open_connection_wakes);
    ADD("unknown-station-wakes", test_unknown_station_wakes);
    ADD("answers-do-not-wake", test_answers_do_not_wake);
    ADD("active-frames-are-counted", test_active_frames_are_counted);
    ADD("datagram-to-a-suspended-guest-wakes-it-once",
        test_datagram_to_a_suspended_guest_wakes_it_once);
    return g_test_run();
}
