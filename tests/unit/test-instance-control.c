/* SPDX-License-Identifier: MIT
 *
 * The control socket, both real ends over a real socket: the server runs in a thread of its own, as
 * it does in the keeper's process; in the guest's place stands a function per test.
 */
#include "base/error.h"
#include "base/fd.h"
#include "instance/control.h"
#include "instance/server.h"
#include "instance/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    /* what the guest does with a session's frame */
    void (*guest)(BerthServer *server, const WireFrame *frame, guint32 stream);
    bool up; /* from the start */
    BerthServer *server;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    int listen_fd;
    struct sockaddr_un address;
    char *dir;
    guint last_stream;
    int hung_up;
    int stops;
    guint ports; /* that there are, or one */
    BerthBootReport *report;
} Fixture;

static guint32 new_stream(gpointer data)
{
    Fixture *fixture = data;
    return 1000 + ++fixture->last_stream; /* never the client's own number */
}

static void send_to_guest(const WireFrame *frame, guint32 stream, gpointer data)
{
    Fixture *fixture = data;
    if (fixture->guest != NULL)
        fixture->guest(fixture->server, frame, stream);
}

static void hang_up(guint32 stream, gpointer data)
{
    Fixture *fixture = data;
    g_atomic_int_inc(&fixture->hung_up);
}

static void stop(BerthStopHow how, guint grace_sec, gpointer data)
{
    Fixture *fixture = data;
    g_assert_cmpint(how, ==, BERTH_STOP_FORCE);
    g_assert_cmpuint(grace_sec, ==, 7);
    fixture->stops++;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "instance.stopped", NULL, "was powered off");
    berth_server_finish(fixture->server, error);
}

static BerthInstanceStatus *status(gpointer data)
{
    BerthInstanceStatus *is = g_new0(BerthInstanceStatus, 1);
    is->state = g_strdup("running");
    is->accel = g_strdup("tcg");
    is->keeper_pid = 12;
    is->qemu_pid = 34;
    is->started_usec = G_GINT64_CONSTANT(1790000000000000);
    is->kernel = g_strdup("6.12.1");
    is->init = g_strdup("systemd");
    is->init_status = g_strdup("running");
    is->host_ports = g_strdup("3128,8080");
    return is;
}

static GPtrArray *ports(gpointer data)
{
    GPtrArray *forwards = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    BerthForward *forward = g_new0(BerthForward, 1);
    forward->rule = (BerthRule){.protocol = BERTH_TCP, .host_port = 8080, .guest_port = 8080};
    forward->host_port = 8081;
    forward->legs[0] = (BerthLeg){.state = BERTH_FORWARD_OPEN, .family = 6, .host = {[15] = 1}};
    forward->origin = BERTH_ORIGIN_PUBLISH;
    forward->state = BERTH_FORWARD_BLOCKED;
    forward->owner = g_strdup("nginx");
    forward->reason = g_strdup("port 8080 is in use");
    g_ptr_array_add(forwards, forward);
    for (guint i = 1; i < ((Fixture *)data)->ports; i++) {
        forward = berth_forward_copy(forward);
        forward->rule.guest_port = (guint16)i;
        g_free(forward->owner);
        g_free(forward->reason);
        forward->owner = g_strnfill(60000, 'o'); /* as a guest may call it */
        forward->reason = g_strnfill(200, 'r');
        g_ptr_array_add(forwards, forward);
    }
    return forwards;
}

static void grow(guint64 size, gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    if (size > G_GUINT64_CONSTANT(1) << 40)
        berth_error_set(&error, BERTH_ERROR_FAILED, "qmp.command", NULL, "too large");
    berth_server_grown(fixture->server, error);
}

static bool set_rule(const BerthRule *rule, bool wanted, gpointer data, GError **error)
{
    Fixture *fixture = data;
    if (rule->guest_port == 1) {
        berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "instance.stopped", NULL, "it has stopped");
        return false;
    }
    fixture->ports += wanted ? 1 : -1;
    g_autoptr(GPtrArray) forwards = ports(fixture);
    berth_server_ports_changed(fixture->server, forwards);
    return true;
}

static const BerthBootReport *boot(gpointer data)
{
    Fixture *fixture = data;
    if (fixture->report == NULL) {
        fixture->report = berth_boot_report_new();
        berth_boot_report_guest(fixture->report, "disk", 0, "no such\adevice");
        berth_boot_report_mark(fixture->report, "ready");
        berth_boot_report_note(fixture->report, "a note");
    }
    return fixture->report;
}

static bool set_host_ports(const char *ports_text, gpointer data, GError **error)
{
    if (g_str_equal(ports_text, "80, 443"))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "access.port", "hint", "no port");
    return false;
}

static bool allow_host_port(guint16 port, gpointer data, GError **error)
{
    if (port == 3128)
        return true;
    berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL, "isolated");
    return false;
}

static const BerthServerOps ops = {
    .new_stream = new_stream,
    .send = send_to_guest,
    .hang_up = hang_up,
    .stop = stop,
    .grow = grow,
    .status = status,
    .ports = ports,
    .set_rule = set_rule,
    .set_host_ports = set_host_ports,
    .allow_host_port = allow_host_port,
    .boot = boot,
};

static gpointer serve(gpointer data)
{
    Fixture *fixture = data;
    g_main_context_push_thread_default(fixture->context);
    fixture->server = berth_server_new(fixture->listen_fd, &ops, fixture);
    berth_server_set_up(fixture->server, fixture->up);
    g_main_loop_run(fixture->loop);
    berth_server_free(fixture->server);
    g_main_context_pop_thread_default(fixture->context);
    return NULL;
}

static void start(Fixture *fixture)
{
    fixture->dir = g_dir_make_tmp("berth-control-XXXXXX", NULL);
    fixture->address.sun_family = AF_UNIX;
    g_snprintf(fixture->address.sun_path, sizeof(fixture->address.sun_path), "%s/control",
               fixture->dir);
    fixture->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(
        bind(fixture->listen_fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)),
        ==, 0);
    g_assert_cmpint(listen(fixture->listen_fd, 16), ==, 0);
    fixture->context = g_main_context_new();
    fixture->loop = g_main_loop_new(fixture->context, FALSE);
    fixture->thread = g_thread_new("server", serve, fixture);
}

static void finish(Fixture *fixture)
{
    g_main_loop_quit(fixture->loop);
    g_thread_join(fixture->thread);
    g_main_loop_unref(fixture->loop);
    g_main_context_unref(fixture->context);
    unlink(fixture->address.sun_path);
    rmdir(fixture->dir);
    berth_boot_report_free(fixture->report);
    g_free(fixture->dir);
}

static int client(Fixture *fixture)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), ==,
                    0);
    return fd;
}

/* Say @type on @stream, as the guest. */
static void say(BerthServer *server, WireType type, guint8 channel, guint32 stream,
                const void *payload, gsize size)
{
    WireFrame frame = {.type = (guint8)type,
                       .channel = channel,
                       .stream = stream,
                       .payload = payload,
                       .size = (guint32)size};
    g_assert_true(berth_server_deliver(server, &frame));
}

static void test_status_and_ports(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;

    g_autoptr(BerthInstanceStatus) is = berth_control_status(fd, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(is->state, ==, "running");
    g_assert_cmpuint(is->qemu_pid, ==, 34);
    g_assert_cmpint(is->started_usec, ==, G_GINT64_CONSTANT(1790000000000000));
    g_assert_cmpuint(is->sessions, ==, 0);
    g_assert_cmpstr(is->host_ports, ==, "3128,8080");

    g_autoptr(GPtrArray) forwards = berth_control_ports(fd, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(forwards->len, ==, 1);
    const BerthForward *forward = g_ptr_array_index(forwards, 0);
    g_assert_cmpuint(forward->rule.guest_port, ==, 8080);
    g_assert_cmpuint(forward->host_port, ==, 8081);
    g_assert_cmpint(forward->origin, ==, BERTH_ORIGIN_PUBLISH);
    g_assert_cmpint(forward->state, ==, BERTH_FORWARD_BLOCKED);
    g_assert_cmpint(forward->legs[0].family, ==, 6);
    g_assert_cmpuint(forward->legs[0].host[15], ==, 1);
    g_assert_cmpstr(forward->reason, ==, "port 8080 is in use");
    finish(&fixture);
}

static void test_more_ports_than_a_frame_holds(void)
{
    Fixture fixture = {.ports = 2000};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 2; i++) {
        g_autoptr(GPtrArray) forwards = berth_control_ports(fd, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(forwards->len, ==, 2000);
        const BerthForward *last = g_ptr_array_index(forwards, 1999);
        g_assert_cmpuint(last->rule.guest_port, ==, 1999);
        g_assert_cmpuint(strlen(last->reason), ==, 200);
        g_assert_cmpuint(strlen(last->owner), <, 1000);
    }
    finish(&fixture);
}

/* The next list, or NULL at the end. */
static GPtrArray *next_list(BerthChannel *channel, GPtrArray **partial)
{
    g_autoptr(GError) error = NULL;
    bool ended = false;
    GPtrArray *list;
    while ((list = berth_control_watched(channel, partial, &ended, &error)) == NULL && !ended) {
        g_assert_no_error(error);
        g_assert_true(berth_channel_fill(channel, &error));
    }
    return list;
}

static void test_watch(void)
{
    Fixture fixture = {.up = true, .ports = 2000};
    start(&fixture);
    berth_autofd int watcher = client(&fixture);
    berth_autofd int other = client(&fixture);
    g_auto(BerthChannel) channel = {.fd = watcher};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) partial = NULL;
    g_assert_true(berth_control_watch(&channel, &error));
    g_autoptr(GPtrArray) first = next_list(&channel, &partial);
    g_assert_cmpuint(first->len, ==, 2000);

    BerthRule rule = {.protocol = BERTH_TCP, .host_port = 80, .guest_port = 80};
    g_assert_true(berth_control_set_rule(other, &rule, true, &error));
    g_assert_no_error(error);
    g_autoptr(GPtrArray) more = next_list(&channel, &partial);
    g_assert_cmpuint(more->len, ==, 2001);
    g_assert_true(berth_control_set_rule(other, &rule, false, &error));
    g_autoptr(GPtrArray) fewer = next_list(&channel, &partial);
    g_assert_cmpuint(fewer->len, ==, 2000);

    rule.guest_port = 1;
    g_assert_false(berth_control_set_rule(other, &rule, true, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.stopped");

    g_assert_true(berth_control_stop(other, BERTH_STOP_FORCE, 7, NULL));
    g_assert_null(next_list(&channel, &partial)); /* it has stopped */
    finish(&fixture);
}

static void test_watcher_that_does_not_read_is_let_go(void)
{
    Fixture fixture = {.up = true, .ports = 2000};
    start(&fixture);
    berth_autofd int watcher = client(&fixture);
    berth_autofd int other = client(&fixture);
    g_auto(BerthChannel) channel = {.fd = watcher};
    g_assert_true(berth_control_watch(&channel, NULL));
    BerthRule rule = {.protocol = BERTH_TCP, .host_port = 80, .guest_port = 80};
    for (int i = 0; i < 60; i++)
        g_assert_true(berth_control_set_rule(other, &rule, i % 2 == 0, NULL));
    gsize size = 0;
    g_autoptr(GError) error = NULL;
    while (berth_channel_fill(&channel, &error)) {
        size += wire_buffer_size(&channel.input);
        wire_buffer_consume(&channel.input, wire_buffer_size(&channel.input));
    }
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
    g_assert_cmpuint(size, <, 8u * 1024 * 1024);
    finish(&fixture);
}

static void test_boot_report(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthBootReport) report = berth_control_boot(fd, &error);
    g_assert_no_error(error);
    static const char *const names[] = {"qemu", "disk", "ready"};
    g_assert_cmpuint(report->stages->len, ==, G_N_ELEMENTS(names));
    gint64 last = 0;
    for (guint i = 0; i < report->stages->len; i++) {
        const BerthBootStage *stage = report->stages->pdata[i];
        g_assert_cmpstr(stage->name, ==, names[i]);
        g_assert_cmpint(stage->end_usec, >=, last);
        g_assert_cmpstr(stage->problem, ==, i == 1 ? "no such device" : NULL);
        last = stage->end_usec;
    }
    g_assert_cmpuint(report->notes->len, ==, 2);
    g_assert_cmpstr(report->notes->pdata[0], ==, "disk: no such device");
    g_assert_cmpstr(report->notes->pdata[1], ==, "a note");
    finish(&fixture);
}

static gboolean come_up(gpointer data)
{
    Fixture *fixture = data;
    berth_server_set_up(fixture->server, true);
    return G_SOURCE_REMOVE;
}

static gboolean fail_boot(gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_GUEST, "instance.boot-timeout", "look at the log",
                    "the guest did not answer");
    berth_server_fail(fixture->server, error, false);
    return G_SOURCE_REMOVE;
}

static void after_a_moment(Fixture *fixture, GSourceFunc func)
{
    g_autoptr(GSource) source = g_timeout_source_new(50);
    g_source_set_callback(source, func, fixture, NULL);
    g_source_attach(source, fixture->context);
}

static void test_wait_until_up(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    after_a_moment(&fixture, come_up);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_control_wait(fd, &error));
    g_assert_no_error(error);
    g_assert_true(berth_control_wait(fd, &error)); /* and at once, the second time */
    finish(&fixture);
}

static void test_errors_cross_whole(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    after_a_moment(&fixture, fail_boot);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_control_wait(fd, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_GUEST);
    g_assert_cmpstr(error->message, ==, "the guest did not answer");
    g_assert_cmpstr(berth_error_id(error), ==, "instance.boot-timeout");
    g_assert_cmpstr(berth_error_hint(error), ==, "look at the log");
    finish(&fixture);
}

static void test_stop(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_control_stop(fd, BERTH_STOP_FORCE, 7, &error));
    g_assert_no_error(error);
    g_assert_cmpint(fixture.stops, ==, 1);
    finish(&fixture);
}

static void test_grow(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_control_grow(fd, G_GUINT64_CONSTANT(1) << 40, &error));
    g_assert_no_error(error);
    g_assert_false(berth_control_grow(fd, G_GUINT64_CONSTANT(1) << 41, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "qmp.command");
    g_assert_true(berth_control_wait(fd, NULL));
    finish(&fixture);
}

static void test_ports_of_the_host(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_control_set_host_ports(fd, "80, 443", &error));
    g_assert_true(berth_control_allow_host_port(fd, 3128, &error));
    g_assert_no_error(error);
    g_assert_false(berth_control_set_host_ports(fd, "x", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "access.port");
    g_clear_error(&error);
    g_assert_false(berth_control_allow_host_port(fd, 1, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.isolated");
    g_clear_error(&error);
    g_assert_false(berth_control_allow_host_port(fd, 0, &error)); /* and is dropped */
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
    finish(&fixture);
}

/* Says back what it is told, and ends with status 3 at EOF. */
static void echo_guest(BerthServer *server, const WireFrame *frame, guint32 stream)
{
    static const guint8 opened[9] = {1}; /* a pid, and no warning */
    if (frame->type == WIRE_OPEN)
        say(server, WIRE_OPENED, 0, stream, opened, sizeof(opened));
    if (frame->type == WIRE_DATA)
        say(server, WIRE_DATA, WIRE_STDOUT, stream, frame->payload, frame->size);
    if (frame->type == WIRE_EOF) {
        say(server, WIRE_DATA, WIRE_STDERR, stream, "bye", 3);
        say(server, WIRE_EXIT, 0, stream, "\0\3", 2);
    }
}

/* A port is opened in the guest while the session runs. */
static void noticing_guest(BerthServer *server, const WireFrame *frame, guint32 stream)
{
    berth_server_notice(server, "a port"); /* nobody's before the command has begun */
    echo_guest(server, frame, stream);
    if (frame->type == WIRE_OPEN)
        berth_server_notice(server, "port 3000 is on http://localhost:3000");
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
                                .errors = errors[1],
                                .signals = -1};
        if (late)
            after_a_moment(&fixture, come_up);

        g_autoptr(GError) error = NULL;
        g_assert_cmpint(berth_session_run(fd, &command, &error), ==, 3);
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
                                .signals = -1,
                                .notice = keep_notice,
                                .user_data = heard};
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(berth_session_run(fd, &command, &error), ==, 3);
        g_assert_no_error(error);
        g_assert_cmpstr(heard->str, ==, tty ? "port 3000 is on http://localhost:3000;a port;" : "");
        finish(&fixture);
    }
}

static void refusing_guest(BerthServer *server, const WireFrame *frame, guint32 stream)
{
    static const char payload[] = "\x7f\x11\0\0\0nosuch: not found";
    if (frame->type == WIRE_OPEN)
        say(server, WIRE_FAILED, 0, stream, payload, sizeof(payload));
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
    BerthCommand command = {
        .bare = true, .input = input, .output = null_fd, .errors = null_fd, .signals = -1};
    after_a_moment(&fixture, become_ready);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_run(fd, &command, &error), ==, 3);
    g_assert_no_error(error);

    command.bare = false; /* which has to wait: for a failure, here */
    after_a_moment(&fixture, fail_boot);
    g_assert_cmpint(berth_session_run(other, &command, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "instance.boot-timeout");
    finish(&fixture);
}

static void test_session_that_never_starts(void)
{
    Fixture fixture = {.guest = refusing_guest, .up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    BerthCommand command = {.input = -1, .output = 1, .errors = 2, .signals = -1};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_run(fd, &command, &error), ==, 127);
    g_assert_cmpstr(error->message, ==, "nosuch: not found");
    g_assert_cmpstr(berth_error_id(error), ==, "session.command-not-found");
    finish(&fixture);
}

/* Goes away: before it has begun the command, or after. */
static void dying_guest(BerthServer *server, const WireFrame *frame, guint32 stream)
{
    g_autoptr(GError) stopped = NULL;
    g_autoptr(GError) failure = NULL;
    berth_error_set(&stopped, BERTH_ERROR_NOT_RUNNING, "session.not-begun", NULL,
                    "QEMU was killed");
    berth_error_set(&failure, BERTH_ERROR_FAILED, "instance.qemu", NULL, "QEMU stopped");
    berth_server_release(server, stopped, true);
    berth_server_fail(server, failure, true);
}

static void opening_dying_guest(BerthServer *server, const WireFrame *frame, guint32 stream)
{
    say(server, WIRE_OPENED, 0, stream, "\1\0\0\0\0\0\0\0", 9);
    dying_guest(server, frame, stream);
}

static void test_guest_that_dies_around_the_beginning(void)
{
    static const struct {
        void (*guest)(BerthServer *server, const WireFrame *frame, guint32 stream);
        const char *id;
        gsize left; /* at least, of the input, for another attempt */
    } rows[] = {{dying_guest, "session.not-begun", 10}, {opening_dying_guest, "instance.qemu", 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        Fixture fixture = {.guest = rows[i].guest, .up = true};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        berth_autofd int input = pipe_with("some bytes");
        BerthCommand command = {.input = input, .output = 1, .errors = 2, .signals = -1};
        g_autoptr(GError) error = NULL;
        char rest[32];
        g_assert_cmpint(berth_session_run(fd, &command, &error), ==, -1);
        g_assert_cmpstr(berth_error_id(error), ==, rows[i].id);
        g_assert_cmpint(read(input, rest, sizeof(rest)), >=, rows[i].left);
        finish(&fixture);
    }
}

/* More than the credit that was given. */
static void flooding_guest(BerthServer *server, const WireFrame *frame, guint32 stream)
{
    static const guint8 zeros[WIRE_DATA_MAX];
    if (frame->type != WIRE_OPEN)
        return;
    for (guint i = 0; i <= WIRE_WINDOW / WIRE_DATA_MAX; i++)
        say(server, WIRE_DATA, WIRE_STDOUT, stream, zeros, sizeof(zeros));
}

static void test_guest_that_floods_loses_its_session(void)
{
    Fixture fixture = {.guest = flooding_guest, .up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    berth_autofd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    BerthCommand command = {.input = -1, .output = null_fd, .errors = null_fd, .signals = -1};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_session_run(fd, &command, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "session.flood");
    g_assert_cmpint(g_atomic_int_get(&fixture.hung_up), ==, 1);
    finish(&fixture);
}

static void test_lost_keeper(void)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    close(pair[1]);
    berth_autofd int fd = pair[0];
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_control_wait(fd, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
}

static void test_client_that_talks_nonsense_is_dropped(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    char byte;
    g_assert_cmpint(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), ==, 18);
    ssize_t size = read(fd, &byte, 1);
    g_assert_true(size == 0 || (size < 0 && errno == ECONNRESET));

    berth_autofd int next = client(&fixture); /* the others are served as before */
    g_assert_true(berth_control_wait(next, NULL));
    finish(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/control/status-and-ports", test_status_and_ports);
    g_test_add_func("/instance/control/more-ports-than-a-frame-holds",
                    test_more_ports_than_a_frame_holds);
    g_test_add_func("/instance/control/watch", test_watch);
    g_test_add_func("/instance/control/watcher-that-does-not-read-is-let-go",
                    test_watcher_that_does_not_read_is_let_go);
    g_test_add_func("/instance/control/boot-report", test_boot_report);
    g_test_add_func("/instance/control/bare-session-waits-for-the-agent-only",
                    test_bare_session_waits_for_the_agent_only);
    g_test_add_func("/instance/control/wait-until-up", test_wait_until_up);
    g_test_add_func("/instance/control/errors-cross-whole", test_errors_cross_whole);
    g_test_add_func("/instance/control/stop", test_stop);
    g_test_add_func("/instance/control/grow", test_grow);
    g_test_add_func("/instance/control/ports-of-the-host", test_ports_of_the_host);
    g_test_add_func("/instance/control/session", test_session);
    g_test_add_func("/instance/control/notice-reaches-sessions-with-a-terminal",
                    test_notice_reaches_sessions_with_a_terminal);
    g_test_add_func("/instance/control/session-that-never-starts", test_session_that_never_starts);
    g_test_add_func("/instance/control/guest-that-dies-around-the-beginning",
                    test_guest_that_dies_around_the_beginning);
    g_test_add_func("/instance/control/guest-that-floods-loses-its-session",
                    test_guest_that_floods_loses_its_session);
    g_test_add_func("/instance/control/lost-keeper", test_lost_keeper);
    g_test_add_func("/instance/control/client-that-talks-nonsense-is-dropped",
                    test_client_that_talks_nonsense_is_dropped);
    return g_test_run();
}
