/* SPDX-License-Identifier: MIT
 *
 * Guests that read slowly or never, and malformed frames.
 */
#include "net/client.h"

#include "../lib/net_guest.h"

static void test_slow_guest_gets_every_frame(World *world, gconstpointer data)
{
    enum { QUESTIONS = 20000 }; /* more than any socket buffers */
    for (guint i = 0; i < QUESTIONS; i++)
        guest_send_arp(world, 1, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS);
    while (count(world).verdicts[BERTH_FILTER_PASS] < QUESTIONS)
        ;
    g_assert_cmpuint(count(world).out.waited, >, 0);

    Frame frame;
    for (guint i = 0; i < QUESTIONS; i++) {
        g_assert_true(guest_receive(world, &frame, WAIT_MSEC));
        g_assert_cmpuint(get_u16(frame.bytes + 20), ==, 2);
        g_assert_cmphex(get_u32(frame.bytes + 28), ==, BERTH_ADDRESS_DNS);
    }
    BerthStackCounters counters = count(world);
    g_assert_cmpuint(counters.out.frames, ==, QUESTIONS);
    g_assert_cmpuint(counters.out.dropped, ==, 0);
}

static void test_backlog_of_a_blocked_guest_is_bounded(World *world, gconstpointer data)
{
    while (count(world).out.dropped == 0)
        for (guint i = 0; i < 2000; i++)
            guest_send_arp(world, 1, BERTH_ADDRESS_GUEST, BERTH_ADDRESS_DNS);
    BerthStackCounters counters = count(world);
    g_assert_cmpuint(counters.out.waited * 64, <=, BERTH_OUTBOX_MAX);

    Frame frame; /* works again once the guest reads */
    while (guest_receive(world, &frame, 1000))
        ;
    guint16 port = free_port();
    g_assert_cmpint(add(world, port), ==, 0);
    check_echo(world, port, BERTH_ADDRESS_GUEST);
}

static void test_invalid_frames_are_counted(World *world, gconstpointer data)
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/net/control-frames/" name, World, NULL, setup, function, teardown)
    ADD("slow-guest-gets-every-frame", test_slow_guest_gets_every_frame);
    ADD("backlog-of-a-blocked-guest-is-bounded", test_backlog_of_a_blocked_guest_is_bounded);
    ADD("invalid-frames-are-counted", test_invalid_frames_are_counted);
    return g_test_run();
}
