/* SPDX-License-Identifier: MIT */
#include "instance/keeper/streams.h"

typedef struct {
    BerthStreams *streams;
    GString *guest; /* what it was sent: the streams' numbers */
    GString *owner; /* the types of the frames delivered */
    guint32 last;   /* opened by a handler */
} World;

static void on_send(const WireFrame *frame, guint32 stream, gpointer data)
{
    World *world = data;
    g_string_append_printf(world->guest, "%s %u;", wire_type_name(frame->type), stream);
}

static void on_hang_up(guint32 stream, gpointer data)
{
    World *world = data;
    g_string_append_printf(world->guest, "hang up %u;", stream);
}

static const BerthStreamsOps ops = {on_send, on_hang_up};

static void set_up(World *world, gconstpointer data)
{
    world->streams = berth_streams_new(&ops, world);
    world->guest = g_string_new(NULL);
    world->owner = g_string_new(NULL);
}

static void tear_down(World *world, gconstpointer data)
{
    berth_streams_free(world->streams);
    g_string_free(world->guest, TRUE);
    g_string_free(world->owner, TRUE);
}

static void keep(const WireFrame *frame, gpointer data)
{
    World *world = data;
    g_string_append_printf(world->owner, "%s %u;", wire_type_name(frame->type), frame->stream);
}

static void replace(const WireFrame *frame, gpointer data)
{
    World *world = data;
    berth_streams_hang_up(world->streams, frame->stream);
    for (guint i = 0; i < 100; i++)
        world->last = berth_streams_open(world->streams, keep, world);
}

static void deliver(World *world, guint32 stream)
{
    const WireFrame frame = {.type = WIRE_EXIT, .stream = stream};
    berth_streams_deliver(world->streams, &frame);
}

static void expect(GString *log, const char *text)
{
    g_assert_cmpstr(log->str, ==, text);
    g_string_truncate(log, 0);
}

static void test_both_ways(World *world, gconstpointer data)
{
    const WireFrame open = {.type = WIRE_OPEN};
    guint32 first = berth_streams_open(world->streams, keep, world);
    guint32 second = berth_streams_open(world->streams, keep, world);
    g_assert_cmpuint(first, ==, 1); /* 0 is the agent's own */
    g_assert_cmpuint(second, ==, 2);
    berth_streams_send(world->streams, &open, second);
    expect(world->guest, "OPEN 2;");
    deliver(world, first);
    deliver(world, second);
    expect(world->owner, "EXIT 1;EXIT 2;");
}

static void test_guests_streams(World *world, gconstpointer data)
{
    deliver(world, WIRE_GUEST_STREAM | 7);
    expect(world->owner, "");
    berth_streams_accept(world->streams, keep, world);
    deliver(world, WIRE_GUEST_STREAM | 7);
    deliver(world, WIRE_GUEST_STREAM | 9);
    deliver(world, 7); /* of the host's */
    expect(world->owner, "EXIT 2147483655;EXIT 2147483657;");
}

static void test_frames_without_an_owner(World *world, gconstpointer data)
{
    guint32 closed = berth_streams_open(world->streams, keep, world);
    berth_streams_close(world->streams, closed);
    expect(world->guest, "");
    guint32 hung_up = berth_streams_open(world->streams, keep, world);
    berth_streams_hang_up(world->streams, hung_up);
    expect(world->guest, "hang up 2;");
    deliver(world, 0);
    deliver(world, closed);
    deliver(world, hung_up);
    deliver(world, 3);
    deliver(world, G_MAXUINT32);
    expect(world->owner, "");
    g_assert_cmpuint(berth_streams_open(world->streams, keep, world), ==, 3); /* never again 1 */
}

static void test_owner_that_closes_within(World *world, gconstpointer data)
{
    guint32 stream = berth_streams_open(world->streams, replace, world);
    deliver(world, stream);
    expect(world->guest, "hang up 1;");
    deliver(world, stream);
    expect(world->owner, "");
    deliver(world, world->last);
    expect(world->owner, "EXIT 101;");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/instance/streams/both-ways", World, NULL, set_up, test_both_ways, tear_down);
    g_test_add("/instance/streams/frames-without-an-owner", World, NULL, set_up,
               test_frames_without_an_owner, tear_down);
    g_test_add("/instance/streams/guests", World, NULL, set_up, test_guests_streams, tear_down);
    g_test_add("/instance/streams/owner-that-closes-within", World, NULL, set_up,
               test_owner_that_closes_within, tear_down);
    return g_test_run();
}
