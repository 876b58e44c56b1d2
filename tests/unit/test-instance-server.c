/* SPDX-License-Identifier: MIT
 *
 * Clients that violate the protocol of instance/control/control.h: out of order, twice, truncated,
 * while another request is pending. Each is rejected, without effect on other clients.
 */
#include "../lib/control_fixture.h"

#include <errno.h>

static guint32 guest_stream; /* of the last opened session */
static int to_guest;         /* frames of sessions except OPEN */
static int opens;

/* Begins each session, then sends nothing. */
static void silent_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    static const guint8 opened[9] = {1}; /* a pid, and no warning */
    if (frame->type != WIRE_OPEN) {
        g_atomic_int_inc(&to_guest);
        return;
    }
    g_atomic_int_inc(&opens);
    guest_stream = stream;
    send_as_guest(fixture, WIRE_OPENED, 0, stream, opened, sizeof(opened));
}

static gboolean speak(gpointer data)
{
    Fixture *fixture = data;
    send_as_guest(fixture, WIRE_DATA, WIRE_STDOUT, guest_stream, "hello", 5);
    return G_SOURCE_REMOVE;
}

static gboolean end_session(gpointer data)
{
    Fixture *fixture = data;
    send_as_guest(fixture, WIRE_EXIT, 0, guest_stream, "\0\3", 2);
    return G_SOURCE_REMOVE;
}

static gboolean end_grow(gpointer data)
{
    Fixture *fixture = data;
    berth_server_grown(fixture->server, NULL);
    return G_SOURCE_REMOVE;
}

static void expect(int fd, guint type)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    g_autoptr(GError) error = NULL;
    WireFrame frame;
    g_assert_true(berth_channel_receive(&channel, &frame, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(frame.type, ==, type);
    g_assert_cmpuint(wire_buffer_size(&channel.input), ==, WIRE_HEADER_SIZE + frame.size);
}

static void expect_refused(int fd)
{
    char bytes[65536];
    ssize_t size;
    while ((size = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        continue;
    g_assert_true(size == 0 || errno == ECONNRESET);
}

/* Wait until the server has handled all earlier requests. */
static void settle(Fixture *fixture)
{
    berth_autofd int fd = client(fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthInstanceStatus) is = berth_request_status(fd, &error);
    g_assert_no_error(error);
}

/* Call @func in the server's thread, and wait for it. */
static void call(Fixture *fixture, GSourceFunc func)
{
    g_main_context_invoke(fixture->context, func, fixture);
    settle(fixture);
}

static int session_of(Fixture *fixture)
{
    int fd = client(fixture);
    send_frame(fd, WIRE_OPEN, 1, "\0\0\0\0", 4);
    expect(fd, WIRE_OPENED);
    return fd;
}

static const struct {
    guint type;
    const char *payload;
    gsize size;
} requests[] = {
    {CONTROL_WAIT, "", 0},
    {CONTROL_STATUS, "", 0},
    {CONTROL_PORTS, "", 0},
    {CONTROL_STOP, "\1\7\0\0\0", 5},
    {CONTROL_GROW, "\0\0\0\1\0\0\0\0", 8},
    {CONTROL_BOOT, "", 0},
    {CONTROL_WATCH, "", 0},
    {CONTROL_FORWARD,
     "\1\2\0\0\0"
     "80",
     8},
    {CONTROL_REACH, "\0\0\0\0", 5},
    {CONTROL_REACH_ONE, "\x38\x0c", 2},
    {CONTROL_KEEP, "\1\0\0\0", 4},
    {CONTROL_HOLD, "", 0},
    {CONTROL_RELEASE, "", 0},
};

/* The guest's next frame finds no session of this client, nor a freed one. */
static void test_request_in_a_session(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
        Fixture fixture = {.up = true, .guest = silent_guest};
        start(&fixture);
        berth_autofd int fd = session_of(&fixture);
        send_frame(fd, requests[i].type, 0, requests[i].payload, requests[i].size);
        expect_refused(fd);
        settle(&fixture);
        g_assert_cmpint(g_atomic_int_get(&fixture.hung_up), ==, 1);
        call(&fixture, speak);
        g_assert_cmpint(fixture.stops, ==, 0);
        finish(&fixture);
    }
}

static void test_request_while_another_is_pending(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
        Fixture fixture = {0};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        send_frame(fd, CONTROL_WAIT, 0, NULL, 0);
        send_frame(fd, requests[i].type, 0, requests[i].payload, requests[i].size);
        expect_refused(fd);
        settle(&fixture);
        g_assert_cmpint(fixture.stops, ==, 0);
        finish(&fixture);
    }
}

static void test_session_while_a_request_is_pending(void)
{
    Fixture fixture = {.guest = silent_guest};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    send_frame(fd, CONTROL_WAIT, 0, NULL, 0);
    send_frame(fd, WIRE_OPEN, 1, "\0\0\0\0", 4);
    expect_refused(fd);
    call(&fixture, come_up);
    finish(&fixture);
}

/* A field in a request without fields; every other request truncated. */
static void test_half_requests(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
        Fixture fixture = {.up = true};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        gsize size = requests[i].size == 0 ? 1 : requests[i].size - 1;
        send_frame(fd, requests[i].type, 0, "\1\1\1\1\1\1\1\1", size);
        expect_refused(fd);
        settle(&fixture);
        g_assert_cmpint(fixture.stops, ==, 0);
        finish(&fixture);
    }
}

/* Frames only a guest sends, unknown types, a second OPEN, and frames of other streams. */
static void test_frames_of_other_streams(void)
{
    static const struct {
        guint type;
        guint32 stream;
    } frames[] = {
        {WIRE_OPEN, 1},   {WIRE_CONNECT, 1}, {WIRE_OPENED, 1}, {WIRE_EXIT, 1},
        {WIRE_FAILED, 1}, {WIRE_CONFIG, 1},  {WIRE_POWER, 1},  {200, 1},
        {WIRE_OPEN, 2},   {WIRE_DATA, 2},    {WIRE_CLOSE, 2},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(frames); i++)
        for (int early = 0; early < 2; early++) {
            Fixture fixture = {.up = early == 0, .guest = silent_guest};
            start(&fixture);
            to_guest = opens = 0;
            berth_autofd int fd = client(&fixture);
            send_frame(fd, WIRE_OPEN, 1, "\0\0\0\0", 4);
            send_frame(fd, frames[i].type, frames[i].stream, "\0\0\0\0", 4);
            expect_refused(fd);
            call(&fixture, come_up);
            g_assert_cmpint(g_atomic_int_get(&to_guest), ==, 0);
            g_assert_cmpint(g_atomic_int_get(&opens), ==, early == 0);
            finish(&fixture);
        }
}

/* MORE without WIRE_OPEN_MORE, after its end, without an end, and with other frames in between. */
static void test_open_in_several_frames(void)
{
    static const char begins[] = "\0\1\0\0"; /* WIRE_OPEN_MORE */
    static const char payload[WIRE_PAYLOAD_MAX];
    static const struct {
        const char *flags;
        guint type;
        guint whole; /* full MORE frames before that one */
        bool end;    /* and a short one at the end */
        bool refused;
    } rows[] = {
        {begins, WIRE_DATA, 2, true, false},     {begins, WIRE_DATA, 2, false, true},
        {begins, WIRE_CLOSE, 2, false, false},   {begins, WIRE_MORE, 1, true, true},
        {"\0\0\0\0", WIRE_MORE, 0, false, true}, {begins, WIRE_MORE, 127, false, true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        for (int early = 0; early < 2; early++) {
            Fixture fixture = {.up = early == 0, .guest = silent_guest};
            start(&fixture);
            berth_autofd int fd = client(&fixture);
            send_frame(fd, WIRE_OPEN, 1, rows[i].flags, 4);
            for (guint j = 0; j < rows[i].whole; j++)
                send_frame(fd, WIRE_MORE, 1, payload, sizeof(payload));
            if (rows[i].end)
                send_frame(fd, WIRE_MORE, 1, payload, 1);
            send_frame(fd, rows[i].type, 1, payload, rows[i].whole > 100 ? sizeof(payload) : 0);
            if (rows[i].refused)
                expect_refused(fd);
            settle(&fixture);
            g_assert_cmpuint(berth_server_sessions(fixture.server), ==,
                             !rows[i].refused && early == 0);
            finish(&fixture);
        }
}

static void test_more_input_than_credit(void)
{
    for (int early = 0; early < 2; early++) {
        static const guint8 zeros[WIRE_DATA_MAX];
        Fixture fixture = {.up = early == 0, .guest = silent_guest};
        start(&fixture);
        to_guest = 0;
        berth_autofd int fd = client(&fixture);
        send_frame(fd, WIRE_OPEN, 1, "\0\0\0\0", 4);
        for (guint i = 0; i < WIRE_WINDOW / WIRE_DATA_MAX; i++)
            send_frame(fd, WIRE_DATA, 1, zeros, sizeof(zeros));
        settle(&fixture);
        send_frame(fd, WIRE_DATA, 1, zeros, 1);
        expect_refused(fd);
        settle(&fixture);
        g_assert_cmpint(g_atomic_int_get(&to_guest), ==, early ? 0 : WIRE_WINDOW / WIRE_DATA_MAX);
        finish(&fixture);
    }
}

/* Several sessions in sequence on one connection are allowed. */
static void test_one_after_the_other(void)
{
    Fixture fixture = {.guest = silent_guest};
    start(&fixture);
    to_guest = opens = 0;
    berth_autofd int fd = client(&fixture);
    send_frame(fd, WIRE_OPEN, 1, "\0\0\0\0", 4);
    settle(&fixture);
    call(&fixture, fail_boot);
    expect(fd, CONTROL_ERROR);
    call(&fixture, come_up);
    send_frame(fd, WIRE_DATA, 1, "late", 4); /* it cannot know of the end yet */
    for (int i = 0; i < 3; i++) {
        send_frame(fd, WIRE_OPEN, 1, "\0\0\0\0", 4);
        expect(fd, WIRE_OPENED);
        call(&fixture, end_session);
        expect(fd, WIRE_EXIT);
        g_assert_true(berth_request_wait(fd, NULL, NULL));
    }
    g_assert_cmpint(g_atomic_int_get(&opens), ==, 3);
    g_assert_cmpint(g_atomic_int_get(&to_guest), ==, 0);
    g_assert_cmpint(g_atomic_int_get(&fixture.hung_up), ==, 0);
    finish(&fixture);
}

/* Until the first grow has ended, whether or not its client still waits. */
static void test_grow_while_another_grows(void)
{
    Fixture fixture = {.up = true, .slow_grow = true};
    start(&fixture);
    const guint64 size = 1 << 30;
    berth_autofd int first = client(&fixture);
    berth_autofd int second = client(&fixture);
    g_autoptr(GError) error = NULL;
    send_frame(first, CONTROL_GROW, 0, &size, sizeof(size));
    settle(&fixture);
    g_assert_false(berth_request_grow(second, size, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "resize.busy");
    g_clear_error(&error);
    shutdown(first, SHUT_RDWR);
    settle(&fixture);
    g_assert_false(berth_request_grow(second, size, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "resize.busy");
    call(&fixture, end_grow);
    send_frame(second, CONTROL_GROW, 0, &size, sizeof(size));
    settle(&fixture);
    call(&fixture, end_grow);
    expect(second, CONTROL_DONE);
    finish(&fixture);
}

static void test_client_that_requests_without_reading(void)
{
    Fixture fixture = {.ports = 2000};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    WireBuffer asked = {0};
    for (int i = 0; i < 1000; i++)
        wire_frame_put(&asked, (WireType)CONTROL_PORTS, 0, 0, NULL, 0);
    send(fd, wire_buffer_head(&asked), wire_buffer_size(&asked), MSG_NOSIGNAL);
    wire_buffer_clear(&asked);
    settle(&fixture);
    static char bytes[65536];
    gsize total = 0;
    for (ssize_t size; (size = recv(fd, bytes, sizeof(bytes), 0)) > 0;)
        total += (gsize)size;
    g_assert_cmpuint(total, <, 8u * 1024 * 1024);
    finish(&fixture);
}

/* Requests that only the keeper answers wake nobody. */
static void test_who_waits_wakes_the_guest(void)
{
    Fixture fixture = {.guest = silent_guest};
    start(&fixture);
    berth_autofd int waiting = client(&fixture);
    berth_autofd int session = client(&fixture);
    berth_autofd int asking = client(&fixture);
    g_autoptr(BerthInstanceStatus) status = berth_request_status(asking, NULL);
    g_autoptr(GPtrArray) forwards = berth_request_ports(asking, NULL);
    g_assert_true(status != NULL && forwards != NULL);
    g_assert_cmpint(g_atomic_int_get(&fixture.wakes), ==, 0);
    send_frame(waiting, CONTROL_WAIT, 0, NULL, 0);
    settle(&fixture);
    g_assert_cmpint(g_atomic_int_get(&fixture.wakes), ==, 1);
    send_frame(session, WIRE_OPEN, 1, "\0\0\0\0", 4);
    settle(&fixture);
    g_assert_cmpint(g_atomic_int_get(&fixture.wakes), ==, 2);
    finish(&fixture);
}

static void test_no_suspend_while_it_grows(void)
{
    Fixture fixture = {.up = true, .slow_grow = true};
    start(&fixture);
    const guint64 size = 1 << 30;
    berth_autofd int first = client(&fixture);
    berth_autofd int second = client(&fixture);
    g_autoptr(GError) error = NULL;
    send_frame(first, CONTROL_GROW, 0, &size, sizeof(size));
    settle(&fixture);
    g_assert_false(berth_request_suspend(second, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "suspend.busy");
    g_clear_error(&error);
    g_assert_false(berth_request_park(second, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "suspend.busy");
    call(&fixture, end_grow);
    expect(first, CONTROL_DONE);
    g_assert_true(berth_request_suspend(second, NULL, NULL));
    g_assert_true(berth_request_park(second, NULL, NULL));
    finish(&fixture);
}

static void test_park_fails(void)
{
    Fixture fixture = {.up = true, .cannot_suspend = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_request_park(fd, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "park.write.no-space");
    finish(&fixture);
}

static gboolean hold_it(gpointer data)
{
    Fixture *fixture = data;
    berth_server_held(fixture->server, true);
    return G_SOURCE_REMOVE;
}

static gboolean end_life(gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "instance.rebooted", NULL, "rebooted");
    berth_server_fail(fixture->server, error, true);
    return G_SOURCE_REMOVE;
}

/* Each end of a connection releases what it held, and the last one the guest. */
static void test_hold_ends_with_the_connection(void)
{
    Fixture fixture = {.up = true, .slow_hold = true};
    start(&fixture);
    berth_autofd int waiting = client(&fixture);
    berth_autofd int first = client(&fixture);
    berth_autofd int second = client(&fixture);
    send_frame(first, CONTROL_HOLD, 0, NULL, 0);
    send_frame(second, CONTROL_HOLD, 0, NULL, 0);
    settle(&fixture);
    call(&fixture, hold_it);
    expect(first, CONTROL_HELD);
    expect(second, CONTROL_HELD);
    send_frame(waiting, CONTROL_HOLD, 0, NULL, 0); /* and is never answered */
    settle(&fixture);
    g_assert_cmpint(g_atomic_int_get(&fixture.holds), ==, 3);
    shutdown(waiting, SHUT_RDWR);
    settle(&fixture);
    shutdown(first, SHUT_RDWR);
    settle(&fixture);
    g_assert_cmpint(g_atomic_int_get(&fixture.releases), ==, 0);
    g_assert_true(berth_request_release(second, NULL));
    settle(&fixture);
    g_assert_cmpint(g_atomic_int_get(&fixture.releases), ==, 1);
    g_assert_true(berth_request_wait(second, NULL, NULL));
    shutdown(second, SHUT_RDWR);
    settle(&fixture);
    g_assert_cmpint(g_atomic_int_get(&fixture.releases), ==, 1);
    finish(&fixture);
}

/* Neither a hold that was never asked for, nor one whose guest has ended meanwhile. */
static void test_release_of_what_is_not_held(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        bool was_awake = false;
        g_assert_false(berth_request_release(fd, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "hold.lost");
        g_assert_true(berth_request_hold(fd, NULL, &was_awake, NULL));
        g_assert_true(was_awake);
        call(&fixture, end_life);
    }
    g_assert_cmpint(g_atomic_int_get(&fixture.releases), ==, 0);
    finish(&fixture);
}

/* A client that waits for a hold gets the reason why there is none. */
static void test_hold_that_fails(void)
{
    Fixture fixture = {.up = true, .cannot_suspend = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    bool was_awake;
    g_assert_false(berth_request_hold(fd, NULL, &was_awake, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "suspend.guest");
    g_clear_error(&error);
    g_assert_false(berth_request_release(fd, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "hold.lost");
    g_clear_error(&error);
    fixture.slow_hold = true;
    send_frame(fd, CONTROL_HOLD, 0, NULL, 0);
    settle(&fixture);
    call(&fixture, end_life);
    expect(fd, CONTROL_ERROR);
    finish(&fixture);
}

static void test_no_hold_while_it_grows(void)
{
    Fixture fixture = {.up = true, .slow_grow = true};
    start(&fixture);
    const guint64 size = 1 << 30;
    berth_autofd int first = client(&fixture);
    berth_autofd int second = client(&fixture);
    g_autoptr(GError) error = NULL;
    bool was_awake;
    send_frame(first, CONTROL_GROW, 0, &size, sizeof(size));
    settle(&fixture);
    g_assert_false(berth_request_hold(second, NULL, &was_awake, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "suspend.busy");
    g_assert_cmpint(g_atomic_int_get(&fixture.holds), ==, 0);
    finish(&fixture);
}

static guint waited_for;

static gboolean count_waited_for(gpointer data)
{
    Fixture *fixture = data;
    waited_for = berth_server_waited_for(fixture->server);
    return G_SOURCE_REMOVE;
}

static int open_with(Fixture *fixture, guint32 flags, const char *const *words)
{
    int fd = client(fixture);
    WireBuffer payload = {0};
    wire_put_u32(&payload, flags);
    wire_put_string(&payload, "");
    wire_put_string(&payload, "");
    wire_put_u32(&payload, 0);
    wire_put_list(&payload, words);
    send_frame(fd, WIRE_OPEN, 1, wire_buffer_head(&payload), wire_buffer_size(&payload));
    wire_buffer_clear(&payload);
    return fd;
}

/* What keeps a distro awake, and what only does while it has data. */
static void test_what_is_waited_for(void)
{
    static const char *const shell[] = {NULL};
    static const char *const command[] = {"sleep", "9", NULL};
    static const char *const own[] = {WIRE_GUEST_PROGRAM, "mount", NULL};
    static const struct {
        guint32 flags;
        const char *const *words;
        guint counts;
    } rows[] = {
        {0, shell, 1},           {0, command, 1}, {0, own, 0}, {WIRE_OPEN_TTY, shell, 1},
        {WIRE_OPEN_TTY, own, 1},
    };
    for (guint early = 0; early < 2; early++)
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
            Fixture fixture = {.up = early == 0, .guest = silent_guest};
            start(&fixture);
            berth_autofd int fd = open_with(&fixture, rows[i].flags, rows[i].words);
            settle(&fixture);
            call(&fixture, count_waited_for);
            g_assert_cmpuint(waited_for, ==, rows[i].counts);
            berth_fd_close(&fd);
            settle(&fixture);
            call(&fixture, count_waited_for);
            g_assert_cmpuint(waited_for, ==, 0);
            finish(&fixture);
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/server/request-in-a-session", test_request_in_a_session);
    g_test_add_func("/instance/server/request-while-another-is-pending",
                    test_request_while_another_is_pending);
    g_test_add_func("/instance/server/session-while-a-request-is-pending",
                    test_session_while_a_request_is_pending);
    g_test_add_func("/instance/server/half-requests", test_half_requests);
    g_test_add_func("/instance/server/frames-of-other-streams", test_frames_of_other_streams);
    g_test_add_func("/instance/server/open-in-several-frames", test_open_in_several_frames);
    g_test_add_func("/instance/server/more-input-than-credit", test_more_input_than_credit);
    g_test_add_func("/instance/server/one-after-the-other", test_one_after_the_other);
    g_test_add_func("/instance/server/grow-while-another-grows", test_grow_while_another_grows);
    g_test_add_func("/instance/server/who-waits-wakes-the-guest", test_who_waits_wakes_the_guest);
    g_test_add_func("/instance/server/what-is-waited-for", test_what_is_waited_for);
    g_test_add_func("/instance/server/no-suspend-while-it-grows", test_no_suspend_while_it_grows);
    g_test_add_func("/instance/server/hold-ends-with-the-connection",
                    test_hold_ends_with_the_connection);
    g_test_add_func("/instance/server/release-of-what-is-not-held",
                    test_release_of_what_is_not_held);
    g_test_add_func("/instance/server/hold-that-fails", test_hold_that_fails);
    g_test_add_func("/instance/server/no-hold-while-it-grows", test_no_hold_while_it_grows);
    g_test_add_func("/instance/server/park-fails", test_park_fails);
    g_test_add_func("/instance/server/client-that-requests-without-reading",
                    test_client_that_requests_without_reading);
    return g_test_run();
}
