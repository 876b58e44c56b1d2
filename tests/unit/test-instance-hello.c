/* SPDX-License-Identifier: MIT
 *
 * The two ends of the control socket in different versions, and garbage instead of a HELLO. Each
 * gives one clear error, and no endless wait.
 */
#include "instance/control/hello.h"

#include "instance/client/session_client.h"

#include "../lib/control_fixture.h"

static void send_hello(int fd, guint32 version, gsize size)
{
    const guint32 fields[2] = {GUINT32_TO_LE(version), 0x12345678};
    send_frame(fd, BERTH_HELLO_TYPE, 1, fields, size);
}

static void expect_mismatch(const GError *error, const char *age, const char *versions)
{
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_PROTOCOL);
    g_assert_cmpstr(berth_error_id(error), ==, "instance.version");
    g_assert_nonnull(strstr(error->message, age));
    g_assert_nonnull(strstr(error->message, versions));
    g_assert_nonnull(strstr(berth_error_hint(error), "berth terminate"));
    g_assert_true(berth_hello_is_mismatch(error));
}

static void expect_refused(BerthChannel *channel, const char *age)
{
    WireFrame frame;
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_channel_receive(channel, &frame, NULL));
    g_assert_cmpuint(frame.type, ==, CONTROL_ERROR);
    berth_control_get_error(&frame, &error);
    expect_mismatch(error, age, "version 8 ");
}

/* --- a client of another version -------------------------------------------------------------- */

static const struct {
    guint type;
    guint32 stream;
    const char *payload;
    gsize size;
} requests[] = {
    {CONTROL_WAIT, 0, "", 0},
    {CONTROL_STATUS, 0, "", 0},
    {CONTROL_PORTS, 0, "", 0},
    {CONTROL_GROW, 0, "\0\0\0\1\0\0\0\0", 8},
    {CONTROL_BOOT, 0, "", 0},
    {CONTROL_WATCH, 0, "", 0},
    {CONTROL_FORWARD, 0, "from another version", 20},
    {CONTROL_REACH, 0, "", 0},
    {CONTROL_REACH_ONE, 0, "", 0},
    {200, 0, "", 0},
    {WIRE_OPEN, 1, "\0\0\0\0", 4},
};

static void check_client(guint32 version, const char *age)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = connection(&fixture);
    g_auto(BerthChannel) channel = {.fd = fd};
    WireFrame frame;
    if (version != 0) {
        send_hello(fd, version, 8);
        g_assert_true(berth_channel_receive(&channel, &frame, NULL));
        g_assert_cmpuint(frame.type, ==, BERTH_HELLO_IS_TYPE);
        g_assert_cmpuint(berth_hello_version(&frame), ==, BERTH_CONTROL_VERSION);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
        send_frame(fd, requests[i].type, requests[i].stream, requests[i].payload, requests[i].size);
        expect_refused(&channel, age);
    }
    send_frame(fd, WIRE_DATA, 1, "late", 4); /* the client may not know of the end yet */
    send_frame(fd, CONTROL_STOP, 0, "\1\7\0\0\0", 5);
    g_assert_true(berth_channel_receive(&channel, &frame, NULL));
    g_assert_cmpuint(frame.type, ==, CONTROL_DONE);
    g_assert_cmpint(fixture.stops, ==, 1);
    g_assert_cmpint(fixture.opens, ==, 0);
    finish(&fixture);
}

static void test_client_from_before_versions(void)
{
    check_client(0, "a newer berth");
}

static void test_client_that_is_newer(void)
{
    check_client(BERTH_CONTROL_VERSION + 1, "an older berth");
    check_client(G_MAXUINT32, "an older berth");
}

/* A truncated HELLO counts as one without a version. */
static void test_partial_hello(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = connection(&fixture);
    g_auto(BerthChannel) channel = {.fd = fd};
    WireFrame frame;
    send_hello(fd, BERTH_CONTROL_VERSION, 3);
    g_assert_true(berth_channel_receive(&channel, &frame, NULL));
    g_assert_cmpuint(frame.type, ==, BERTH_HELLO_IS_TYPE);
    send_frame(fd, CONTROL_STATUS, 0, "", 0);
    expect_refused(&channel, "a newer berth");
    finish(&fixture);
}

/* Its answer would come between those of the request. */
static void test_hello_within_a_request(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    send_frame(fd, CONTROL_WAIT, 0, "", 0);
    send_hello(fd, BERTH_CONTROL_VERSION, 4);
    char byte;
    g_assert_cmpint(recv(fd, &byte, 1, 0), <=, 0);
    finish(&fixture);
}

/* Requests in a rejected version without reading the answers use bounded memory. */
static void test_flood_of_rejected_requests(void)
{
    static const guint types[] = {BERTH_HELLO_TYPE, WIRE_OPEN, CONTROL_STATUS};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        Fixture fixture = {.up = true};
        start(&fixture);
        berth_autofd int fd = connection(&fixture);
        WireBuffer buffer = {0};
        for (int j = 0; j < 500; j++)
            wire_frame_put(&buffer, (WireType)types[i], 0, types[i] == CONTROL_STATUS ? 0 : 1,
                           "\0\0\0\0", 4);
        ssize_t sent = 0;
        for (int j = 0; j < 1000 && sent >= 0; j++)
            sent = send(fd, wire_buffer_head(&buffer), wire_buffer_size(&buffer), MSG_NOSIGNAL);
        g_assert_cmpint(sent, <, 0); /* the keeper has closed the connection */
        wire_buffer_clear(&buffer);
        finish(&fixture);
    }
}

/* --- a keeper of another version -------------------------------------------------------------- */

/* The client's end of a connection to a keeper that sent @bytes. */
static int keeper_that_says(const void *bytes, gsize size, int *ret_keeper)
{
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    g_assert_cmpint(berth_fd_write_all(pair[1], bytes, size), ==, 0);
    *ret_keeper = pair[1];
    return pair[0];
}

static void put_hello_is(WireBuffer *buffer, guint32 version, gsize size)
{
    const guint32 fields[2] = {GUINT32_TO_LE(version), 0x12345678};
    wire_frame_put(buffer, (WireType)BERTH_HELLO_IS_TYPE, 0, 0, fields, size);
}

static bool call_wait(int fd, GError **error)
{
    return berth_request_wait(fd, NULL, error);
}

static bool call_status(int fd, GError **error)
{
    g_autoptr(BerthInstanceStatus) status_is = berth_request_status(fd, error);
    return status_is != NULL;
}

static bool call_ports(int fd, GError **error)
{
    g_autoptr(GPtrArray) list = berth_request_ports(fd, error);
    return list != NULL;
}

static bool call_boot(int fd, GError **error)
{
    g_autoptr(BerthBootReport) report = berth_request_boot(fd, error);
    return report != NULL;
}

static bool call_grow(int fd, GError **error)
{
    return berth_request_grow(fd, 1 << 30, NULL, error);
}

static bool call_rule(int fd, GError **error)
{
    const BerthRule rule = {.protocol = BERTH_TCP, .host_port = 80, .guest_port = 80};
    return berth_request_set_rule(fd, &rule, true, error);
}

static bool call_host_ports(int fd, GError **error)
{
    return berth_request_set_host_ports(fd, "80", error);
}

static bool call_host_port(int fd, GError **error)
{
    return berth_request_allow_host_port(fd, 80, error);
}

static bool call_shares(int fd, GError **error)
{
    g_auto(GStrv) paths = berth_request_shares(fd, error);
    return paths != NULL;
}

static bool call_watch(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    g_autoptr(GPtrArray) partial = NULL;
    bool ended;
    if (!berth_request_watch(&channel, error) || !berth_channel_fill(&channel, error))
        return false;
    g_autoptr(GPtrArray) list = berth_request_watched(&channel, &partial, &ended, error);
    return list != NULL;
}

static bool call_session(int fd, GError **error)
{
    const char *const argv[] = {"true", NULL};
    const BerthCommand command = {.argv = argv, .input = -1, .output = 1, .errors = 2};
    return berth_session_client_run(fd, &command, error) >= 0;
}

static bool (*const calls[])(int fd, GError **error) = {
    call_wait,       call_status,    call_ports, call_boot,    call_grow,   call_rule,
    call_host_ports, call_host_port, call_watch, call_session, call_shares,
};

static void check_keeper(const WireBuffer *buffer, const char *age, const char *versions)
{
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        int keeper;
        berth_autofd int fd =
            keeper_that_says(wire_buffer_head(buffer), wire_buffer_size(buffer), &keeper);
        g_autoptr(GError) error = NULL;
        g_assert_false(calls[i](fd, &error));
        expect_mismatch(error, age, versions);
        close(keeper);
    }
}

static void test_keeper_from_before_versions(void)
{
    WireBuffer buffer = {0};
    wire_frame_put(&buffer, (WireType)CONTROL_DONE, 0, 0, NULL, 0);
    check_keeper(&buffer, "an older berth", "version 0 ");
    wire_buffer_clear(&buffer);
}

static void test_keeper_that_is_newer(void)
{
    WireBuffer buffer = {0};
    put_hello_is(&buffer, BERTH_CONTROL_VERSION + 1, 8);
    check_keeper(&buffer, "a newer berth", "version 9 ");
    wire_buffer_clear(&buffer);
}

static void test_keeper_sends_a_partial_hello(void)
{
    WireBuffer buffer = {0};
    put_hello_is(&buffer, BERTH_CONTROL_VERSION, 3);
    check_keeper(&buffer, "an older berth", "version 0 ");
    wire_buffer_clear(&buffer);
}

/* Later versions may add fields after the version. */
static void test_keeper_sends_extra_fields(void)
{
    int keeper;
    WireBuffer buffer = {0};
    put_hello_is(&buffer, BERTH_CONTROL_VERSION, 8);
    wire_frame_put(&buffer, (WireType)CONTROL_DONE, 0, 0, NULL, 0);
    berth_autofd int fd =
        keeper_that_says(wire_buffer_head(&buffer), wire_buffer_size(&buffer), &keeper);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_wait(fd, NULL, &error));
    g_assert_no_error(error);
    wire_buffer_clear(&buffer);
    close(keeper);
}

static void test_keeper_sends_garbage(void)
{
    static const char nonsense[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        int keeper;
        berth_autofd int fd = keeper_that_says(nonsense, sizeof(nonsense), &keeper);
        g_autoptr(GError) error = NULL;
        g_assert_false(calls[i](fd, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "wire.frame");
        close(keeper);
    }
}

/* The stop request never changes and needs no HELLO. */
static void test_any_keeper_can_be_stopped(void)
{
    int keeper;
    WireBuffer buffer = {0};
    wire_frame_put(&buffer, (WireType)CONTROL_DONE, 0, 0, NULL, 0);
    berth_autofd int fd =
        keeper_that_says(wire_buffer_head(&buffer), wire_buffer_size(&buffer), &keeper);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_stop(fd, BERTH_STOP_ORDERLY, 7, NULL, &error));
    g_assert_no_error(error);
    wire_buffer_clear(&buffer);
    static const guint8 stop_frame[] = {5, 0, 0, 0, 67, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0};
    guint8 got[sizeof(stop_frame) + 1];
    ssize_t size = read(keeper, got, sizeof(got));
    g_assert_cmpmem(got, MAX(size, 0), stop_frame, sizeof(stop_frame));
    close(keeper);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/hello/client-from-before-versions",
                    test_client_from_before_versions);
    g_test_add_func("/instance/hello/client-that-is-newer", test_client_that_is_newer);
    g_test_add_func("/instance/hello/partial-hello", test_partial_hello);
    g_test_add_func("/instance/hello/hello-within-a-request", test_hello_within_a_request);
    g_test_add_func("/instance/hello/flood-of-rejected-requests", test_flood_of_rejected_requests);
    g_test_add_func("/instance/hello/keeper-from-before-versions",
                    test_keeper_from_before_versions);
    g_test_add_func("/instance/hello/keeper-that-is-newer", test_keeper_that_is_newer);
    g_test_add_func("/instance/hello/keeper-sends-a-partial-hello",
                    test_keeper_sends_a_partial_hello);
    g_test_add_func("/instance/hello/keeper-sends-extra-fields", test_keeper_sends_extra_fields);
    g_test_add_func("/instance/hello/keeper-sends-garbage", test_keeper_sends_garbage);
    g_test_add_func("/instance/hello/any-keeper-can-be-stopped", test_any_keeper_can_be_stopped);
    return g_test_run();
}
