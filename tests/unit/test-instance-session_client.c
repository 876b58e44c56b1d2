/* SPDX-License-Identifier: MIT */
#include "instance/client/session_client.h"

#include "../lib/control_fixture.h"

#include <fcntl.h>

/* Echoes its input, and ends with status 3 at EOF. */
static void echo_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    static const guint8 opened[9] = {1}; /* a pid, and no warning */
    if (frame->type == WIRE_OPEN)
        send_as_guest(fixture, WIRE_OPENED, 0, stream, opened, sizeof(opened));
    if (frame->type == WIRE_DATA)
        send_as_guest(fixture, WIRE_DATA, WIRE_STDOUT, stream, frame->payload, frame->size);
    if (frame->type == WIRE_EOF) {
        send_as_guest(fixture, WIRE_DATA, WIRE_STDERR, stream, "bye", 3);
        send_as_guest(fixture, WIRE_EXIT, 0, stream, "\0\3", 2);
    }
}

/* A port is opened in the guest while the session runs. */
static void noticing_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    berth_server_notify_terminals(fixture->server,
                                  "a port"); /* nobody's before the command has begun */
    echo_guest(fixture, frame, stream);
    if (frame->type == WIRE_OPEN)
        berth_server_notify_terminals(fixture->server, "port 3000 is on http://localhost:3000");
}

static void keep_notice(const char *text, gpointer user_data)
{
    g_string_append_printf(user_data, "%s;", text);
}

static int pipe_with(const char *text)
{
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    g_assert_cmpint(berth_fd_write_all(ends[1], text, strlen(text)), ==, 0);
    close(ends[1]);
    return ends[0];
}

static void test_session(void)
{
    for (int late = 0; late < 2; late++) {
        Fixture fixture = {.guest = echo_guest, .up = late == 0};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        berth_autofd int input = pipe_with("some bytes");
        int output[2], errors[2];
        g_assert_cmpint(pipe2(output, O_CLOEXEC) | pipe2(errors, O_CLOEXEC), ==, 0);
        BerthCommand command = {.argv = (const char *const[]){"cat", NULL},
                                .input = input,
                                .output = output[1],
                                .errors = errors[1]};
        if (late)
            after_a_moment(&fixture, come_up);

        g_autoptr(GError) error = NULL;
        g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, 3);
        g_assert_no_error(error);
        char text[32] = "";
        g_assert_cmpint(read(output[0], text, sizeof(text)), ==, 10);
        g_assert_cmpstr(text, ==, "some bytes");
        g_assert_cmpint(read(errors[0], text, sizeof(text)), ==, 3);
        for (int i = 0; i < 2; i++) {
            close(output[i]);
            close(errors[i]);
        }
        finish(&fixture);
    }
}

static void test_notice_reaches_sessions_with_a_terminal(void)
{
    for (int tty = 0; tty < 2; tty++) {
        Fixture fixture = {.guest = noticing_guest, .up = true};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        berth_autofd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        g_autoptr(GString) heard = g_string_new(NULL);
        BerthCommand command = {.tty = tty != 0,
                                .input = -1,
                                .output = null_fd,
                                .errors = null_fd,
                                .notice = keep_notice,
                                .user_data = heard};
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, 3);
        g_assert_no_error(error);
        g_assert_cmpstr(heard->str, ==, tty ? "port 3000 is on http://localhost:3000;a port;" : "");
        finish(&fixture);
    }
}

static void refusing_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    static const char payload[] = "\x7f\x11\0\0\0nosuch: not found";
    if (frame->type == WIRE_OPEN)
        send_as_guest(fixture, WIRE_FAILED, 0, stream, payload, sizeof(payload));
}

/* A missing shell is not an argument of the user, so the hint names its origin. */
static void test_missing_shell(void)
{
    static const char *const words[] = {"nosuch", NULL};
    for (int i = 0; i < 2; i++) {
        Fixture fixture = {.guest = refusing_guest, .up = true};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        BerthCommand command = {.argv = i == 0 ? NULL : words, .input = -1};
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, 127);
        g_assert_nonnull(strstr(berth_error_hint(error),
                                i == 0 ? "the login shell" : "install it in the distro"));
        finish(&fixture);
    }
}

/* A command that no guest can run is not sent. */
static void test_arguments_beyond_any_kernel(void)
{
    g_autofree char *word = g_strnfill(WIRE_OPEN_MAX, 'x');
    Fixture fixture = {.guest = echo_guest, .up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    BerthCommand command = {.argv = (const char *const[]){"echo", word, NULL}, .input = -1};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "session.too-long");
    finish(&fixture);
}

/* An agent from before an upgrade: it does not know OPEN of several frames. */
static void old_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    static const char payload[] = "\x7d\x09\0\0\0malformed";
    if (frame->type == WIRE_OPEN)
        send_as_guest(fixture, WIRE_FAILED, 0, stream, payload, sizeof(payload));
}

static void test_arguments_for_an_old_agent(void)
{
    g_autofree char *word = g_strnfill(WIRE_PAYLOAD_MAX, 'x');
    Fixture fixture = {.guest = old_guest, .up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    BerthCommand command = {.argv = (const char *const[]){"echo", word, NULL}, .input = -1};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "session.refused");
    g_assert_nonnull(strstr(berth_error_hint(error), "berth terminate"));
    finish(&fixture);
}

static gboolean become_ready(gpointer data)
{
    Fixture *fixture = data;
    berth_server_set_ready(fixture->server);
    return G_SOURCE_REMOVE;
}

static void test_bare_session_waits_for_the_agent_only(void)
{
    Fixture fixture = {.guest = echo_guest};
    start(&fixture);
    berth_autofd int other = client(&fixture);
    berth_autofd int fd = client(&fixture);
    berth_autofd int input = pipe_with("");
    berth_autofd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    BerthCommand command = {.bare = true, .input = input, .output = null_fd, .errors = null_fd};
    after_a_moment(&fixture, become_ready);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, 3);
    g_assert_no_error(error);

    command.bare = false; /* it waits, here for a failure */
    after_a_moment(&fixture, fail_boot);
    g_assert_cmpint(berth_session_client_run(other, &command, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "instance.boot-timeout");
    finish(&fixture);
}

static void test_session_never_starts(void)
{
    Fixture fixture = {.guest = refusing_guest, .up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    BerthCommand command = {.input = -1, .output = 1, .errors = 2};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, 127);
    g_assert_cmpstr(error->message, ==, "nosuch: not found");
    g_assert_cmpstr(berth_error_id(error), ==, "session.command-not-found");
    finish(&fixture);
}

/* Goes away: before it has begun the command, or after. */
static void dying_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    g_autoptr(GError) stopped = NULL;
    g_autoptr(GError) failure = NULL;
    berth_error_set(&stopped, BERTH_ERROR_NOT_RUNNING, "session.not-begun", NULL,
                    "QEMU was killed");
    berth_error_set(&failure, BERTH_ERROR_FAILED, "instance.qemu", NULL, "QEMU stopped");
    berth_server_release(fixture->server, stopped, true);
    berth_server_fail(fixture->server, failure, true);
}

static void opening_dying_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    send_as_guest(fixture, WIRE_OPENED, 0, stream, "\1\0\0\0\0\0\0\0", 9);
    dying_guest(fixture, frame, stream);
}

static void test_guest_ends_around_the_beginning(void)
{
    static const struct {
        void (*guest)(Fixture *fixture, const WireFrame *frame, guint32 stream);
        const char *id;
        gsize left; /* least number of input bytes left for another attempt */
    } rows[] = {{dying_guest, "session.not-begun", 10}, {opening_dying_guest, "instance.qemu", 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        Fixture fixture = {.guest = rows[i].guest, .up = true};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        berth_autofd int input = pipe_with("some bytes");
        BerthCommand command = {.input = input, .output = 1, .errors = 2};
        g_autoptr(GError) error = NULL;
        char rest[32];
        g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, -1);
        g_assert_cmpstr(berth_error_id(error), ==, rows[i].id);
        g_assert_cmpint(read(input, rest, sizeof(rest)), >=, rows[i].left);
        finish(&fixture);
    }
}

/* More than the credit that was given. */
static void flooding_guest(Fixture *fixture, const WireFrame *frame, guint32 stream)
{
    static const guint8 zeros[WIRE_DATA_MAX];
    if (frame->type != WIRE_OPEN)
        return;
    for (guint i = 0; i <= WIRE_WINDOW / WIRE_DATA_MAX; i++)
        send_as_guest(fixture, WIRE_DATA, WIRE_STDOUT, stream, zeros, sizeof(zeros));
}

static void test_guest_that_floods_loses_its_session(void)
{
    Fixture fixture = {.guest = flooding_guest, .up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    berth_autofd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    BerthCommand command = {.input = -1, .output = null_fd, .errors = null_fd};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_client_run(fd, &command, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "session.flood");
    g_assert_cmpint(g_atomic_int_get(&fixture.hung_up), ==, 1);
    finish(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/session/bare-session-waits-for-the-agent-only",
                    test_bare_session_waits_for_the_agent_only);
    g_test_add_func("/instance/session/session", test_session);
    g_test_add_func("/instance/session/missing-shell", test_missing_shell);
    g_test_add_func("/instance/session/arguments-beyond-any-kernel",
                    test_arguments_beyond_any_kernel);
    g_test_add_func("/instance/session/arguments-for-an-old-agent",
                    test_arguments_for_an_old_agent);
    g_test_add_func("/instance/session/notice-reaches-sessions-with-a-terminal",
                    test_notice_reaches_sessions_with_a_terminal);
    g_test_add_func("/instance/session/session-never-starts", test_session_never_starts);
    g_test_add_func("/instance/session/guest-ends-around-the-beginning",
                    test_guest_ends_around_the_beginning);
    g_test_add_func("/instance/session/guest-that-floods-loses-its-session",
                    test_guest_that_floods_loses_its_session);
    return g_test_run();
}
