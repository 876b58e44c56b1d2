/* SPDX-License-Identifier: MIT */
#include "net/outbox.h"

#include "../lib/frames.h"
#include "base/fd.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME 4096u

typedef struct {
    BerthOutbox outbox;
    int pair[2]; /* ours, the guest's */
} World;

static void setup(World *world, gconstpointer data)
{
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, world->pair), ==, 0);
    berth_outbox_init(&world->outbox, world->pair[0]);
}

static void teardown(World *world, gconstpointer data)
{
    berth_outbox_clear(&world->outbox);
    close(world->pair[0]);
    if (world->pair[1] >= 0)
        close(world->pair[1]);
}

/* Frames are identified by their first number. */
static void send_numbered(World *world, guint number)
{
    guint8 frame[FRAME] = {0};
    put_u32(frame, number);
    berth_outbox_send(&world->outbox, frame, sizeof(frame));
}

/* The next frame the guest reads, into @frame; 0 when there is none. */
static gsize guest_reads(World *world, guint8 *frame)
{
    ssize_t size = recv(world->pair[1], frame, FRAME, MSG_DONTWAIT);
    g_assert_true(size > 0 || errno == EAGAIN);
    return (gsize)MAX(size, 0);
}

static void test_order_over_a_pause(World *world, gconstpointer data)
{
    guint sent = 0, got = 0;
    for (; world->outbox.counters.waited < 100; sent++)
        send_numbered(world, sent);
    g_assert_true(berth_outbox_is_waiting(&world->outbox));
    guint8 frame[FRAME];
    while (got < sent) {
        while (guest_reads(world, frame) > 0)
            g_assert_cmpuint(get_u32(frame), ==, got++);
        berth_outbox_send_waiting(&world->outbox);
    }
    g_assert_false(berth_outbox_is_waiting(&world->outbox));
    g_assert_cmpuint(world->outbox.waiting_size, ==, 0);
    g_assert_cmpuint(world->outbox.counters.frames, ==, sent);
    g_assert_cmpuint(world->outbox.counters.bytes, ==, (guint64)sent * FRAME);
    g_assert_cmpuint(world->outbox.counters.dropped, ==, 0);
}

static void test_backlog_is_bounded(World *world, gconstpointer data)
{
    for (guint i = 0; world->outbox.counters.dropped < 100; i++)
        send_numbered(world, i);
    g_assert_cmpuint(world->outbox.waiting_size, <=, BERTH_OUTBOX_MAX);
    g_assert_cmpuint(world->outbox.waiting_size, >, BERTH_OUTBOX_MAX - 2 * FRAME);
}

static void test_frames_for_an_ended_guest_are_dropped(World *world, gconstpointer data)
{
    close(world->pair[1]);
    world->pair[1] = -1;
    send_numbered(world, 1);
    g_assert_false(berth_outbox_is_waiting(&world->outbox));
    g_assert_cmpuint(world->outbox.counters.dropped, ==, 1);
}

static void pass(World *world, guint32 acknowledged, gsize data_size, bool may_wait)
{
    const Flow flow = {IPPROTO_TCP, 16, 0x08080808, 0x0a00020f, 443, 40000, 7, acknowledged};
    guint8 frame[128];
    gsize size = make_frame(frame, &flow, "data", data_size);
    berth_outbox_pass(&world->outbox, frame, size, may_wait);
}

static void guest_gets(World *world, guint32 acknowledged, gsize data_size)
{
    guint8 frame[FRAME];
    g_assert_cmpuint(guest_reads(world, frame), ==, 54 + data_size);
    g_assert_cmpuint(get_u32(frame + 34 + 8), ==, acknowledged);
}

static void test_acks_are_coalesced(World *world, gconstpointer data)
{
    guint8 frame[FRAME];
    pass(world, 10, 0, true);
    pass(world, 20, 0, true);
    g_assert_cmpuint(guest_reads(world, frame), ==, 0);
    berth_outbox_send_acks(&world->outbox);
    guest_gets(world, 20, 0);
    berth_outbox_send_acks(&world->outbox);
    g_assert_cmpuint(guest_reads(world, frame), ==, 0);
}

static void test_acks_keep_their_order(World *world, gconstpointer data)
{
    pass(world, 30, 0, true);
    pass(world, 20, 4, false); /* held earlier, sent anyway */
    guest_gets(world, 30, 0);
    guest_gets(world, 20, 4);
    pass(world, 40, 0, true);
    pass(world, 40, 4, false); /* supersedes it */
    guest_gets(world, 40, 4);
    guint8 frame[FRAME];
    g_assert_cmpuint(guest_reads(world, frame), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    static const struct {
        const char *name;
        void (*test)(World *world, gconstpointer data);
    } tests[] = {
        {"order-over-a-pause", test_order_over_a_pause},
        {"backlog-is-bounded", test_backlog_is_bounded},
        {"frames-for-an-ended-guest-are-dropped", test_frames_for_an_ended_guest_are_dropped},
        {"acks-are-coalesced", test_acks_are_coalesced},
        {"acks-keep-their-order", test_acks_keep_their_order},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/net/outbox/%s", tests[i].name);
        g_test_add(path, World, NULL, setup, tests[i].test, teardown);
    }
    return g_test_run();
}
