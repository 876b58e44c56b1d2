/* SPDX-License-Identifier: MIT
 *
 * The host's side of the agent's channel; the test writes the guest's frames by hand.
 */
#include "../lib/agent_fixture.h"
#include "model/forward.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_config_is_sent_first(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    uint8_t *room = wire_buffer_reserve(&buffer, 4096);
    ssize_t size = read(fixture->guest, room, 4096);
    g_assert_cmpint(size, >, 0);
    wire_buffer_added(&buffer, (size_t)size);

    WireFrame frame;
    WireReader reader;
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_CONFIG);
    wire_reader_init(&reader, &frame);
    g_assert_cmpuint(wire_get_u32(&reader), ==, WIRE_VERSION);
    g_assert_cmpstr(wire_get_string(&reader), ==, "box");
    g_assert_cmpstr(wire_get_string(&reader), ==, "");
    g_assert_cmpstr(wire_get_string(&reader), ==, "10.0.2.15/24");
    g_assert_cmpstr(wire_get_string(&reader), ==, "10.0.2.2");
    g_assert_cmpstr(wire_get_string(&reader), ==, "10.0.2.3");
    g_assert_cmpuint(wire_get_u32(&reader), ==, 9000);
    g_assert_cmpuint(wire_get_u64(&reader), >, G_GUINT64_CONSTANT(1700000000) * 1000000000);
    g_assert_cmpstr(wire_get_string(&reader), ==, "");
    g_assert_cmpstr(wire_get_string(&reader), ==, "0123456789abcdef");
    g_assert_cmpuint(wire_get_u32(&reader), ==, WIRE_CONFIG_OOBE | WIRE_CONFIG_SHARES);
    g_assert_cmpstr(wire_get_string(&reader), ==, "alice");
    g_assert_cmpuint(wire_get_u32(&reader), ==, 1001);
    g_assert_cmpstr(wire_get_string(&reader), ==, "fd01:2345:6789::15/64");
    g_assert_cmpstr(wire_get_string(&reader), ==, "fd01:2345:6789::2");
    g_assert_true(wire_reader_done(&reader));
    wire_buffer_clear(&buffer);
}

static void test_frames_become_callbacks(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    put_hello(&buffer, WIRE_VERSION);
    size_t begin = wire_frame_begin(&buffer, WIRE_STAGE, 0, 0);
    wire_put_string(&buffer, "disk");
    wire_put_u64(&buffer, 250000);
    wire_put_string(&buffer, "no such device");
    wire_frame_end(&buffer, begin);
    wire_frame_put(&buffer, (WireType)200, 0, 0, "from the future", 15);
    begin = wire_frame_begin(&buffer, WIRE_READY, 0, 0);
    wire_put_string(&buffer, "systemd");
    wire_put_u32(&buffer, 10000);
    wire_frame_end(&buffer, begin);
    begin = wire_frame_begin(&buffer, WIRE_NOTE, 0, 0);
    wire_put_string(&buffer, "/etc/wsl.conf:1: oh");
    wire_frame_end(&buffer, begin);
    begin = wire_frame_begin(&buffer, WIRE_LISTENERS, 0, 0);
    wire_put_u32(&buffer, 1);
    wire_put_listener(
        &buffer,
        &(WireListener){.family = 4, .protocol = IPPROTO_TCP, .port = 80, .owner = "ng\xffinx"});
    wire_put_u32(&buffer, 1);
    wire_put_u8(&buffer, IPPROTO_TCP);
    wire_put_u16(&buffer, 81);
    wire_frame_end(&buffer, begin);
    wire_frame_put(&buffer, WIRE_EOF, WIRE_STDOUT, 7, NULL, 0);
    send_all(fixture, &buffer);

    g_assert_cmpstr(fixture->log->str, ==,
                    "hello 6.12.1;stage disk 250000 no such device;ready systemd 10000;"
                    "note /etc/wsl.conf:1: oh;"
                    "listens 80 ng\xef\xbf\xbdinx;listens 81 ;session 7 EOF;");
}

/* Strings of the guest are truncated, in every frame. */
static void test_long_texts_are_truncated(Fixture *fixture, gconstpointer data)
{
    static const WireType types[] = {WIRE_HELLO, WIRE_STAGE,  WIRE_READY,
                                     WIRE_NOTE,  WIRE_BOOTED, WIRE_GROWN};
    g_autofree char *words = g_strnfill(30000, 'x');
    words[1] = '\n';
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        WireBuffer buffer = {0};
        size_t begin = wire_frame_begin(&buffer, types[i], 0, 0);
        if (types[i] == WIRE_HELLO)
            wire_put_u32(&buffer, WIRE_VERSION);
        wire_put_string(&buffer, words);
        if (types[i] == WIRE_READY)
            wire_put_u32(&buffer, G_MAXUINT32);
        if (types[i] == WIRE_STAGE) {
            wire_put_u64(&buffer, G_MAXUINT64);
            wire_put_string(&buffer, words);
        }
        wire_frame_end(&buffer, begin);
        send_all(fixture, &buffer);
        g_assert_nonnull(strstr(fixture->log->str, " x xxx"));
        g_assert_cmpuint(fixture->log->len, <, 1200);
        if (types[i] == WIRE_READY)
            g_assert_true(g_str_has_suffix(fixture->log->str, " 3600000;")); /* an hour */
        g_string_truncate(fixture->log, 0);
    }

    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_LISTENERS, 0, 0);
    wire_put_u32(&buffer, 1);
    wire_put_listener(
        &buffer, &(WireListener){.family = 4, .protocol = IPPROTO_TCP, .port = 80, .owner = words});
    wire_frame_end(&buffer, begin);
    send_all(fixture, &buffer);
    g_assert_cmpuint(fixture->log->len, <, 100);
}

static void test_unknown_transport_protocol(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_LISTENERS, 0, 0);
    wire_put_u32(&buffer, 1);
    wire_put_listener(&buffer, &(WireListener){.family = 4, .protocol = 132, .port = 80});
    wire_frame_end(&buffer, begin);
    send_all(fixture, &buffer);
    g_assert_null(strstr(fixture->log->str, "listens"));
    g_assert_nonnull(strstr(fixture->log->str, "lost the peer sent an invalid frame"));
}

static void test_grow(Fixture *fixture, gconstpointer data)
{
    char config[4096];
    g_assert_cmpint(read(fixture->guest, config, sizeof(config)), >, 0);
    berth_agent_client_grow(fixture->agent, G_GUINT64_CONSTANT(1) << 40);

    WireBuffer buffer = {0};
    ssize_t size = read(fixture->guest, wire_buffer_reserve(&buffer, 4096), 4096);
    wire_buffer_added(&buffer, (size_t)MAX(size, 0));
    WireFrame frame;
    WireReader reader;
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_GROW);
    wire_reader_init(&reader, &frame);
    g_assert_cmpuint(wire_get_u64(&reader), ==, G_GUINT64_CONSTANT(1) << 40);
    g_assert_true(wire_reader_done(&reader));
    wire_buffer_clear(&buffer);

    const char *const answers[] = {"", "no space left on device"};
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        size_t begin = wire_frame_begin(&buffer, WIRE_GROWN, 0, 0);
        wire_put_string(&buffer, answers[i]);
        wire_frame_end(&buffer, begin);
    }
    send_all(fixture, &buffer);
    g_assert_cmpstr(fixture->log->str, ==, "grown well;grown no space left on device;");
}

static void test_freeze(Fixture *fixture, gconstpointer data)
{
    const char *const answers[] = {"", "no such device"};
    char config[4096];
    g_assert_cmpint(read(fixture->guest, config, sizeof(config)), >, 0);
    berth_agent_client_freeze(fixture->agent);
    berth_agent_client_thaw(fixture->agent); /* is held back until the guest runs again */
    WireBuffer buffer = {0};
    ssize_t size = read(fixture->guest, wire_buffer_reserve(&buffer, 4096), 4096);
    g_assert_cmpint(size, ==, WIRE_HEADER_SIZE);
    wire_buffer_added(&buffer, (size_t)size);
    berth_agent_client_go_on(fixture->agent);
    size = read(fixture->guest, wire_buffer_reserve(&buffer, 4096), 4096);
    g_assert_cmpint(size, ==, WIRE_HEADER_SIZE);
    wire_buffer_added(&buffer, (size_t)size);
    const WireType types[] = {WIRE_FREEZE, WIRE_THAW};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        WireFrame frame;
        g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
        g_assert_cmpuint(frame.type, ==, types[i]);
        g_assert_cmpuint(frame.size + frame.stream, ==, 0);
        wire_buffer_consume(&buffer, WIRE_HEADER_SIZE);
    }
    wire_buffer_clear(&buffer);
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        size_t begin = wire_frame_begin(&buffer, WIRE_FROZEN, 0, 0);
        wire_put_string(&buffer, answers[i]);
        wire_frame_end(&buffer, begin);
    }
    send_all(fixture, &buffer);
    g_assert_cmpstr(fixture->log->str, ==, "frozen well;frozen no such device;");
}

static void test_reclaim(Fixture *fixture, gconstpointer data)
{
    char config[4096];
    g_assert_cmpint(read(fixture->guest, config, sizeof(config)), >, 0);
    berth_agent_client_reclaim(fixture->agent, false);
    berth_agent_client_reclaim(fixture->agent, true);
    berth_agent_client_set_swap(fixture->agent, G_GUINT64_CONSTANT(3) << 40);
    WireBuffer buffer = {0};
    ssize_t size = read(fixture->guest, wire_buffer_reserve(&buffer, 4096), 4096);
    wire_buffer_added(&buffer, (size_t)MAX(size, 0));
    for (guint urgent = 0; urgent < 2; urgent++) {
        WireFrame frame;
        WireReader reader;
        g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
        g_assert_cmpuint(frame.type, ==, WIRE_RECLAIM);
        wire_reader_init(&reader, &frame);
        g_assert_cmpuint(wire_get_u8(&reader), ==, urgent);
        g_assert_true(wire_reader_done(&reader));
        wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
    }
    WireFrame swap;
    WireReader size_reader;
    g_assert_cmpint(wire_frame_peek(&buffer, &swap), ==, 1);
    g_assert_cmpuint(swap.type, ==, WIRE_SWAP);
    wire_reader_init(&size_reader, &swap);
    g_assert_cmpuint(wire_get_u64(&size_reader), ==, G_GUINT64_CONSTANT(3) << 40);
    g_assert_true(wire_reader_done(&size_reader));
    wire_buffer_clear(&buffer);
    for (guint8 busy = 0; busy < 2; busy++) {
        size_t begin = wire_frame_begin(&buffer, WIRE_RECLAIMED, 0, 0);
        wire_put_u8(&buffer, busy);
        wire_put_u64(&buffer, busy ? 0 : G_GUINT64_CONSTANT(1) << 40);
        wire_put_u64(&buffer, busy ? 0 : 4096);
        wire_frame_end(&buffer, begin);
    }
    send_all(fixture, &buffer);
    g_assert_cmpstr(fixture->log->str, ==, "reclaimed 0 1099511627776 4096;reclaimed 1 0 0;");
}

static void test_measure(Fixture *fixture, gconstpointer data)
{
    char config[4096];
    WireFrame frame;
    WireBuffer buffer = {0};
    g_assert_cmpint(read(fixture->guest, config, sizeof(config)), >, 0);
    berth_agent_client_measure(fixture->agent);
    ssize_t size = read(fixture->guest, wire_buffer_reserve(&buffer, 4096), 4096);
    wire_buffer_added(&buffer, (size_t)MAX(size, 0));
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_MEASURE);
    g_assert_cmpuint(frame.size, ==, 0);
    wire_buffer_clear(&buffer);

    size_t begin = wire_frame_begin(&buffer, WIRE_MEASURED, 0, 0);
    for (guint i = 1; i <= 4; i++)
        wire_put_u64(&buffer, i == 4 ? G_MAXUINT64 : i << 20);
    wire_frame_end(&buffer, begin);
    send_all(fixture, &buffer);
    g_assert_cmpstr(fixture->log->str, ==,
                    "measured 1048576 2097152 3145728 18446744073709551615;");
}

static void test_due(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_DUE, 0, 0);
    wire_put_u64(&buffer, G_GUINT64_CONSTANT(9) << 32);
    wire_put_u32(&buffer, 5);
    wire_put_u32(&buffer, 65);
    wire_put_string(&buffer, "back\nup.timer");
    wire_frame_end(&buffer, begin);
    send_all(fixture, &buffer);
    g_assert_cmpstr(fixture->log->str, ==, "due 38654705664 5 65 back up.timer;");
}

static void send_watched(Fixture *fixture, guint32 claimed, guint32 n)
{
    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_WATCHED, 0, 0);
    wire_put_u32(&buffer, claimed);
    for (guint32 i = 0; i < n; i++) {
        wire_put_u64(&buffer, (G_GUINT64_CONSTANT(7) << 32) + i);
        wire_put_u32(&buffer, 0x100);
    }
    wire_frame_end(&buffer, begin);
    send_all(fixture, &buffer);
}

static void test_watched(Fixture *fixture, gconstpointer data)
{
    send_watched(fixture, 2, 2);
    g_assert_cmpstr(fixture->log->str, ==, "watched 2 30064771072:100 30064771073:100;");
}

static void test_watched_wrongly(Fixture *fixture, gconstpointer claimed)
{
    guint32 n = GPOINTER_TO_UINT(claimed);
    send_watched(fixture, n, n > WIRE_WATCHED_MAX && n != G_MAXUINT32 ? n : 2);
    g_assert_null(strstr(fixture->log->str, "watched"));
    g_assert_nonnull(strstr(fixture->log->str, "lost"));
}

static void test_clock(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    WireFrame frame;
    WireReader reader;
    guint64 before = (guint64)g_get_real_time() * 1000;
    berth_agent_client_set_clock(fixture->agent, "Europe/Berlin");
    uint8_t *room = wire_buffer_reserve(&buffer, 4096);
    ssize_t size = read(fixture->guest, room, 4096);
    g_assert_cmpint(size, >, 0);
    wire_buffer_added(&buffer, (size_t)size);

    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1); /* CONFIG */
    wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_CLOCK);
    wire_reader_init(&reader, &frame);
    g_assert_cmpuint(wire_get_u64(&reader), >=, before);
    g_assert_cmpstr(wire_get_string(&reader), ==, "Europe/Berlin");
    g_assert_true(wire_reader_done(&reader));
    wire_buffer_clear(&buffer);
}

static void test_route(Fixture *fixture, gconstpointer data)
{
    static const char *const gateways[] = {"", "fd01:2345:6789::2"};
    WireBuffer buffer = {0};
    WireFrame frame;
    WireReader reader;
    berth_agent_client_set_route6(fixture->agent, false);
    berth_agent_client_set_route6(fixture->agent, true);
    uint8_t *room = wire_buffer_reserve(&buffer, 4096);
    ssize_t size = read(fixture->guest, room, 4096);
    g_assert_cmpint(size, >, 0);
    wire_buffer_added(&buffer, (size_t)size);

    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1); /* CONFIG */
    for (gsize i = 0; i < G_N_ELEMENTS(gateways); i++) {
        wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
        g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
        g_assert_cmpuint(frame.type, ==, WIRE_ROUTE);
        wire_reader_init(&reader, &frame);
        g_assert_cmpstr(wire_get_string(&reader), ==, gateways[i]);
        g_assert_true(wire_reader_done(&reader));
    }
    wire_buffer_clear(&buffer);
}

/* Sent right after CONFIG, since the guest waits for it. */
static void test_names_of_the_host(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    WireFrame frame;
    WireReader reader;
    berth_agent_client_set_names(fixture->agent, "a.example b.example", "192.0.2.1 nas\n");
    uint8_t *room = wire_buffer_reserve(&buffer, 4096);
    ssize_t size = read(fixture->guest, room, 4096);
    g_assert_cmpint(size, >, 0);
    wire_buffer_added(&buffer, (size_t)size);

    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_CONFIG);
    wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_NAMES);
    wire_reader_init(&reader, &frame);
    g_assert_cmpstr(wire_get_string(&reader), ==, "a.example b.example");
    g_assert_cmpstr(wire_get_string(&reader), ==, "192.0.2.1 nas\n");
    g_assert_true(wire_reader_done(&reader));
    wire_buffer_clear(&buffer);
}

static void test_shares_of_the_host(Fixture *fixture, gconstpointer data)
{
    const char *const paths[] = {"/home/ann", "/mnt/host/home/ann", NULL};
    WireBuffer buffer = {0};
    WireFrame frame;
    WireReader reader;
    berth_agent_client_set_shares(fixture->agent, paths);
    uint8_t *room = wire_buffer_reserve(&buffer, 4096);
    ssize_t size = read(fixture->guest, room, 4096);
    g_assert_cmpint(size, >, 0);
    wire_buffer_added(&buffer, (size_t)size);

    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size); /* CONFIG */
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_SHARES);
    wire_reader_init(&reader, &frame);
    char **list = wire_get_list(&reader);
    g_assert_true(wire_reader_done(&reader));
    g_assert_true(g_strv_equal((const char *const *)list, paths));
    free(list);
    wire_buffer_clear(&buffer);
}

static void test_invalid_frame_ends_the_channel(Fixture *fixture, gconstpointer data)
{
    WireBuffer buffer = {0};
    if (GPOINTER_TO_INT(data) == 0)
        wire_frame_put(&buffer, WIRE_HELLO, 0, 0, "\5\0\0", 3);
    else if (GPOINTER_TO_INT(data) == 1)
        wire_frame_put(&buffer, WIRE_READY, 0, 0, "\377\377\377\377", 4);
    else
        wire_buffer_append(&buffer, "\377\377\377\377 not a frame", 16);
    send_all(fixture, &buffer);
    g_assert_nonnull(strstr(fixture->log->str, "lost the peer sent an invalid frame"));
    g_assert_null(strstr(fixture->log->str, "hello"));
}

/* Recognised by its version, whatever else HELLO has; later frames are ignored. */
static void test_another_version(Fixture *fixture, gconstpointer data)
{
    bool older = GPOINTER_TO_INT(data) == 0;
    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_HELLO, 0, 0);
    wire_put_u32(&buffer, older ? WIRE_VERSION - 1 : WIRE_VERSION + 1);
    if (!older)
        wire_put_u64(&buffer, G_MAXUINT64);
    wire_frame_end(&buffer, begin);
    put_hello(&buffer, WIRE_VERSION);
    send_all(fixture, &buffer);
    g_autofree char *expected = g_strdup_printf(
        "lost the guest's agent is %s than its keeper: it has version %u of their protocol, the "
        "keeper has %u;",
        older ? "older" : "newer", older ? WIRE_VERSION - 1 : WIRE_VERSION + 1, WIRE_VERSION);
    g_assert_cmpstr(fixture->log->str, ==, expected);
}

static void test_end_of_the_guest(Fixture *fixture, gconstpointer data)
{
    berth_fd_close(&fixture->guest);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpstr(fixture->log->str, ==, "lost in good order;");
}

static void test_may_be_freed_by_its_callback(Fixture *fixture, gconstpointer data)
{
    fixture->free_in_callback = true;
    WireBuffer buffer = {0};
    put_hello(&buffer, WIRE_VERSION);
    put_hello(&buffer, WIRE_VERSION);
    send_all(fixture, &buffer);
    g_assert_cmpstr(fixture->log->str, ==, "hello 6.12.1;");
}

/* The peer does not read: output is queued, and sent in order later. */
static void test_writing_never_blocks(Fixture *fixture, gconstpointer data)
{
    static const guint8 payload[WIRE_DATA_MAX];
    const guint frames = 64;
    for (guint i = 0; i < frames; i++) {
        WireFrame frame = {.type = WIRE_DATA, .payload = payload, .size = sizeof(payload)};
        berth_agent_client_send(fixture->agent, &frame, i + 1);
    }

    WireBuffer buffer = {0};
    WireFrame frame;
    guint32 last = 0;
    while (last < frames) {
        uint8_t *room = wire_buffer_reserve(&buffer, 65536);
        ssize_t size = recv(fixture->guest, room, 65536, MSG_DONTWAIT);
        if (size > 0)
            wire_buffer_added(&buffer, (size_t)size);
        else
            g_main_context_iteration(NULL, FALSE);
        while (wire_frame_peek(&buffer, &frame) == 1) {
            if (frame.type == WIRE_DATA)
                g_assert_cmpuint(frame.stream, ==, ++last);
            wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
        }
    }
    wire_buffer_clear(&buffer);
}

#define ADD(path, data, func)                                                                      \
    g_test_add("/guest/agent/" path, Fixture, GINT_TO_POINTER(data), set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("config-is-sent-first", 0, test_config_is_sent_first);
    ADD("frames-become-callbacks", 0, test_frames_become_callbacks);
    ADD("long-texts-are-truncated", 0, test_long_texts_are_truncated);
    ADD("unknown-transport-protocol", 0, test_unknown_transport_protocol);
    ADD("grow", 0, test_grow);
    ADD("freeze", 0, test_freeze);
    ADD("reclaim", 0, test_reclaim);
    ADD("measure", 0, test_measure);
    ADD("due", 0, test_due);
    ADD("watched", 0, test_watched);
    ADD("watched/fewer", GUINT_TO_POINTER(3), test_watched_wrongly);
    ADD("watched/more", GUINT_TO_POINTER(1), test_watched_wrongly);
    ADD("watched/too-many", GUINT_TO_POINTER(WIRE_WATCHED_MAX + 1), test_watched_wrongly);
    ADD("watched/absurd", GUINT_TO_POINTER(G_MAXUINT32), test_watched_wrongly);
    ADD("clock", 0, test_clock);
    ADD("route", 0, test_route);
    ADD("names-of-the-host", 0, test_names_of_the_host);
    ADD("shares-of-the-host", 0, test_shares_of_the_host);
    ADD("an-older-guest", 0, test_another_version);
    ADD("a-newer-guest", 1, test_another_version);
    ADD("half-a-hello-ends-the-channel", 0, test_invalid_frame_ends_the_channel);
    ADD("bad-payload-ends-the-channel", 1, test_invalid_frame_ends_the_channel);
    ADD("bad-frame-ends-the-channel", 2, test_invalid_frame_ends_the_channel);
    ADD("end-of-the-guest", 0, test_end_of_the_guest);
    ADD("may-be-freed-by-its-callback", 0, test_may_be_freed_by_its_callback);
    ADD("writing-never-blocks", 0, test_writing_never_blocks);
    return g_test_run();
}
