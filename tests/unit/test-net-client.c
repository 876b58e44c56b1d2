/* SPDX-License-Identifier: MIT
 *
 * A keeper's requests to its berth-net, and the end of the process.
 */
#include "net/client.h"

#include "base/error.h"
#include "../lib/net_guest.h"

#include <signal.h>

static void test_forward_reaches_the_guest(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(try_connect(port), ==, ECONNREFUSED);
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
}

/* The guest accepts @client's connection and resets it. */
static void expect_reset(World *world, int client)
{
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

static void test_guest_reset_reaches_the_client(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    berth_autofd int client = start_connect(port);
    expect_reset(world, client);
}

/* One port of the host leads to two of the guest, by its addresses. */
static void test_a_reset_by_the_right_rule(World *world, gconstpointer data)
{
    const guint32 other = INADDR_LOOPBACK + (9 << 8); /* 127.0.9.1 */
    BerthLeg leg = leg_of(free_port());
    g_assert_cmpint(add_leg(world, &leg), ==, 0);
    leg.guest_port++;
    leg.host[2] = 9;
    g_assert_cmpint(add_leg(world, &leg), ==, 0);
    berth_autofd int second = start_connect_to(other, leg.host_port);
    expect_reset(world, second);
    berth_autofd int first = start_connect(leg.host_port);
    expect_reset(world, first);
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

static void test_many_clients_connect_at_once(World *world, gconstpointer data)
{
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);

    /* Stopped, so nobody accepts and only the backlog is left. */
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

static void test_many_forwards(World *world, gconstpointer data)
{
    enum { MANY = 300 };
    int results[MANY];
    for (guint i = 0; i < MANY; i++) {
        results[i] = -1;
        BerthLeg leg = leg_of(free_port());
        berth_net_add(world->net, &leg, on_done, &results[i]);
    }
    for (guint i = 0; i < MANY; i++) {
        while (results[i] < 0)
            g_main_context_iteration(NULL, TRUE);
        g_assert_cmpint(results[i], ==, 0);
    }
}

static void test_end_of_the_process_is_reported(World *world, gconstpointer data)
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

static void test_next_process_continues_with_the_frames(World *world, gconstpointer data)
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

static void test_freeing_cancels_pending_requests(World *world, gconstpointer data)
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
    ADD("guest-reset-reaches-the-client", test_guest_reset_reaches_the_client);
    ADD("a-reset-by-the-right-rule", test_a_reset_by_the_right_rule);
    ADD("forward-to-another-port-of-another-address",
        test_forward_to_another_port_of_another_address);
    ADD("many-clients-connect-at-once", test_many_clients_connect_at_once);
    ADD("busy-port-is-reported", test_busy_port_is_reported);
    ADD("privileged-port-is-reported", test_privileged_port_is_reported);
    ADD("removed-forward-refuses", test_removed_forward_refuses);
    ADD("many-forwards", test_many_forwards);
    ADD("end-of-the-process-is-reported", test_end_of_the_process_is_reported);
    ADD("next-process-continues-with-the-frames", test_next_process_continues_with_the_frames);
    ADD("freeing-cancels-pending-requests", test_freeing_cancels_pending_requests);
    g_test_add_func("/net/control/missing-program", test_missing_program);
    return g_test_run();
}
