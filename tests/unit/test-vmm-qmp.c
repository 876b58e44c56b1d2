/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/fd.h"
#include "vmm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define READY    GREETING "{\"return\": {}, \"id\": 0}\r\n"

/* A client and, at @qemu, the other end of its socket. @log records the callbacks. */
typedef struct {
    BerthQmp *qmp;
    int qemu;
    GString *log;
    bool free_at_event;
} Fixture;

static void on_event(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_string_append_printf(fixture->log, "event %s %s%s%s\n", event->name, event->reason,
                           *event->action != '\0' ? " " : "", event->action);
    if (fixture->free_at_event)
        g_clear_pointer(&fixture->qmp, berth_qmp_free);
}

static void on_closed(BerthQmp *qmp, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_string_append_printf(fixture->log, "closed %s\n", berth_error_id(error));
}

static void on_done(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_autofree char *text = result != NULL ? json_to_string(result, FALSE) : NULL;
    g_assert_true((result == NULL) != (error == NULL));
    g_string_append_printf(fixture->log, "done %s\n", text != NULL ? text : berth_error_id(error));
    if (error != NULL && berth_error_is(error, BERTH_ERROR_FAILED))
        g_string_append_printf(fixture->log, "(%s)\n", error->message);
}

static void on_done_free(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_string_append(fixture->log, "freed\n");
    g_clear_pointer(&fixture->qmp, berth_qmp_free);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    g_assert_cmpint(berth_fd_set_nonblocking(pair[0], true), ==, 0);
    fixture->qemu = pair[1];
    fixture->log = g_string_new(NULL);
    fixture->qmp = berth_qmp_new(pair[0], on_event, on_closed, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_qmp_free(fixture->qmp);
    berth_fd_close(&fixture->qemu);
    g_string_free(fixture->log, TRUE);
}

static void run(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* QEMU sends @size bytes of @text, as fast as the client reads. */
static void send_bytes(Fixture *fixture, const char *text, gsize size)
{
    for (gsize done = 0; done < size && fixture->qmp != NULL;) {
        ssize_t sent = send(fixture->qemu, text + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EPIPE)
            break; /* the client closed */
        done += sent > 0 ? (gsize)sent : 0;
        run();
    }
    run();
}

static void send_text(Fixture *fixture, const char *text)
{
    send_bytes(fixture, text, strlen(text));
}

static void expect_log(Fixture *fixture, const char *log)
{
    g_assert_cmpstr(fixture->log->str, ==, log);
    g_string_truncate(fixture->log, 0);
}

/* Compare the commands received since the last call. */
static void expect_sent(Fixture *fixture, const char *text)
{
    run();
    char heard[4096] = "";
    ssize_t size = recv(fixture->qemu, heard, sizeof(heard) - 1, MSG_DONTWAIT);
    if (size < 0)
        g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_cmpstr(heard, ==, text);
}

static void test_waits_for_greeting(Fixture *fixture, gconstpointer data)
{
    berth_qmp_execute(fixture->qmp, "query-status", NULL, on_done, fixture);
    expect_sent(fixture, "");
    send_text(fixture, GREETING);
    expect_sent(fixture, "{\"execute\":\"qmp_capabilities\",\"id\":0}\n"
                         "{\"execute\":\"query-status\",\"id\":1}\n");
    send_text(fixture,
              "{\"return\": {}, \"id\": 0}\r\n{\"return\": {\"running\": true}, \"id\": 1}\r\n");
    expect_log(fixture, "done {\"running\":true}\n");
}

static void test_arguments(Fixture *fixture, gconstpointer data)
{
    send_text(fixture, READY);
    expect_sent(fixture, "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");

    g_autoptr(JsonObject) arguments = json_object_new();
    json_object_set_string_member(arguments, "a", "line\nbreak \"quote\"");
    json_object_set_int_member(arguments, "value", 1 << 30);
    berth_qmp_execute(fixture->qmp, "balloon", arguments, NULL, NULL);
    expect_sent(fixture,
                "{\"execute\":\"balloon\",\"arguments\":{\"a\":\"line\\nbreak \\\"quote\\\"\","
                "\"value\":1073741824},\"id\":1}\n");
    send_text(fixture, "{\"return\": {}, \"id\": 1}\n");
    expect_log(fixture, "");
}

static void test_split_answers_with_events_between(Fixture *fixture, gconstpointer data)
{
    const char *talk =
        READY "{\"event\": \"RESUME\", \"timestamp\": {\"seconds\": 1}}\r\n"
              "{\"return\": {\"text\": \"} \\\" {[[\"}, \"id\": 1}\r\n"
              "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
              "\"guest-shutdown\"}}\r\n"
              "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}, "
              "\"id\": 2}\r\n"
              "{\"event\": \"STOP\", \"data\": {\"reason\": 7}}\n";
    berth_qmp_execute(fixture->qmp, "one", NULL, on_done, fixture);
    berth_qmp_execute(fixture->qmp, "two", NULL, on_done, fixture);
    for (const char *at = talk; *at != '\0'; at++)
        send_bytes(fixture, at, 1);
    expect_log(fixture, "event RESUME \ndone {\"text\":\"} \\\" {[[\"}\n"
                        "event SHUTDOWN guest-shutdown\n"
                        "done qmp.command\n(QEMU refused: no such thing)\nevent STOP \n");
}

static void test_close_fails_pending_commands(Fixture *fixture, gconstpointer data)
{
    send_text(fixture, READY);
    berth_qmp_execute(fixture->qmp, "one", NULL, on_done, fixture);
    berth_qmp_execute(fixture->qmp, "two", NULL, on_done, fixture);
    run();
    berth_fd_close(&fixture->qemu);
    run();
    expect_log(fixture, "done qmp.closed\ndone qmp.closed\nclosed qmp.closed\n");

    berth_qmp_execute(fixture->qmp, "three", NULL, on_done, fixture);
    expect_log(fixture, ""); /* not from within the call */
    run();
    expect_log(fixture, "done qmp.closed\n");
}

static void test_status_of_a_migration(Fixture *fixture, gconstpointer data)
{
    send_text(fixture, READY "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\r\n");
    expect_log(fixture, "event MIGRATION active\n");
}

/* Read @size bytes, and the descriptor that came with one of them; or -1. */
static int read_with_fd(int from, gsize size)
{
    char bytes[512];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec room = {bytes, size};
    struct msghdr message = {.msg_iov = &room,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control.space)};
    g_assert_cmpuint(size, <=, sizeof(bytes));
    g_assert_cmpint(recvmsg(from, &message, MSG_DONTWAIT), ==, (gssize)size);
    int fd = -1;
    if (message.msg_controllen > 0)
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    return fd;
}

/* Each descriptor comes with its own command, however the bytes around it are sent. */
static void test_descriptors(Fixture *fixture, gconstpointer data)
{
    static const char *const before = "{\"execute\":\"qmp_capabilities\",\"id\":0}\n";
    static const char *const commands[] = {
        "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"a\"},\"id\":1}\n",
        "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"b\"},\"id\":2}\n"};
    int pipes[2][2];
    for (gsize i = 0; i < 2; i++) {
        g_assert_cmpint(pipe2(pipes[i], O_CLOEXEC), ==, 0);
        berth_qmp_send_fd(fixture->qmp, i == 0 ? "a" : "b", pipes[i][1], NULL, NULL);
    }
    send_text(fixture, READY);
    run();
    g_assert_cmpint(read_with_fd(fixture->qemu, strlen(before)), ==, -1);
    for (gsize i = 0; i < 2; i++) {
        berth_autofd int fd = read_with_fd(fixture->qemu, strlen(commands[i]));
        char byte = '\0';
        g_assert_cmpint(write(fd, "x", 1), ==, 1);
        g_assert_cmpint(read(pipes[i][0], &byte, 1), ==, 1);
        berth_fd_close(&fd);
        g_assert_cmpint(read(pipes[i][0], &byte, 1), ==, 0); /* ours was closed, too */
        berth_fd_close(&pipes[i][0]);
    }
}

/* The client closes the descriptors that it has not sent. */
static void test_descriptors_unsent(Fixture *fixture, gconstpointer data)
{
    int pair[2];
    char byte;
    g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
    berth_qmp_send_fd(fixture->qmp, "a", pair[1], NULL, NULL);
    g_clear_pointer(&fixture->qmp, berth_qmp_free);
    g_assert_cmpint(read(pair[0], &byte, 1), ==, 0);
    berth_fd_close(&pair[0]);
}

static void test_event_of_a_port(Fixture *fixture, gconstpointer data)
{
    const char *talk =
        READY "{\"event\": \"VSERPORT_CHANGE\", \"data\": {\"open\": true, \"id\": \"agent\"}}\r\n"
              "{\"event\": \"VSERPORT_CHANGE\", \"data\": {\"open\": false, \"id\": \"agent\"}}\r\n"
              "{\"event\": \"VSERPORT_CHANGE\", \"data\": {\"open\": \"no\"}}\r\n";
    g_assert_cmpint(berth_fd_write_all(fixture->qemu, talk, strlen(talk)), ==, 0);
    berth_fd_close(&fixture->qemu);
    run();
    expect_log(fixture, "event VSERPORT_CHANGE open\nevent VSERPORT_CHANGE closed\n"
                        "event VSERPORT_CHANGE \nclosed qmp.closed\n");
}

/* Data before EOF counts: QEMU sends SHUTDOWN and exits. */
static void test_event_just_before_the_end(Fixture *fixture, gconstpointer data)
{
    const char *talk =
        READY "{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-reset\"}}\r\n";
    g_assert_cmpint(berth_fd_write_all(fixture->qemu, talk, strlen(talk)), ==, 0);
    berth_qmp_execute(fixture->qmp, "quit", NULL, on_done, fixture);
    berth_fd_close(&fixture->qemu);
    run();
    expect_log(fixture, "event SHUTDOWN guest-reset\ndone qmp.closed\nclosed qmp.closed\n");
}

static void test_freed_by_its_callback(Fixture *fixture, gconstpointer data)
{
    fixture->free_at_event = true;
    berth_qmp_execute(fixture->qmp, "one", NULL, on_done, fixture);
    send_text(fixture,
              READY "{\"event\": \"A\"}\n{\"event\": \"B\"}\n{\"return\": {}, \"id\": 1}\n");
    expect_log(fixture, "event A \n");
}

static void test_freed_while_failing(Fixture *fixture, gconstpointer data)
{
    berth_qmp_execute(fixture->qmp, "one", NULL, on_done_free, fixture);
    berth_qmp_execute(fixture->qmp, "two", NULL, on_done, fixture);
    send_text(fixture, "nonsense\n");
    expect_log(fixture, "freed\n");
}

static void test_capabilities_refused(Fixture *fixture, gconstpointer data)
{
    berth_qmp_execute(fixture->qmp, "one", NULL, on_done, fixture);
    send_text(fixture, GREETING "{\"error\": {\"desc\": \"no\"}, \"id\": 0}\n");
    expect_log(fixture, "done qmp.command\n(QEMU refused: no)\nclosed qmp.command\n");
}

static const struct {
    const char *line, *log;
} bad_lines[] = {
    {"hello\n", "closed qmp.syntax\n"},
    {"{\"QMP\": \n", "closed qmp.syntax\n"},
    {"\n", "closed qmp.message\n"},
    {"{\"QMP\": {\"\xff\": 1}}\n", "closed qmp.syntax\n"},
    {"[]\n", "closed qmp.message\n"},
    {"7\n", "closed qmp.message\n"},
    {"{}\n", "closed qmp.message\n"},
    {GREETING GREETING, "closed qmp.message\n"},
    {"{\"return\": {}, \"id\": 0}\n", "closed qmp.message\n"},
    {READY "{\"return\": {}, \"id\": 1}\n", "closed qmp.message\n"},
    {GREETING "{\"return\": {}, \"id\": 1}\n", "closed qmp.message\n"},
    {GREETING "{\"return\": {}, \"id\": \"0\"}\n", "closed qmp.message\n"},
    {GREETING "{\"return\": {}, \"id\": {}}\n", "closed qmp.message\n"},
    {GREETING "{\"return\": {}}\n", "closed qmp.message\n"},
    {GREETING "{\"error\": 7, \"id\": 0}\n", "closed qmp.command\n"},
    {"{\"event\": 7}\n", "closed qmp.message\n"},
    {"{\"event\": null}\n", "closed qmp.message\n"},
    {"{\"event\": \"A\", \"data\": []}\n", "event A \n"},
    {"{\"event\": \"A\", \"data\": {\"reason\": \"no room\", \"action\": \"stop\"}}\n",
     "event A no room stop\n"},
    {"{\"event\": \"A\", \"data\": {\"action\": 1}}\n", "event A \n"},
    {"{\"event\": \"A\", \"data\": {\"reason\": {}}}\n", "event A \n"},
};

static void test_bad_line(Fixture *fixture, gconstpointer data)
{
    gsize row = GPOINTER_TO_SIZE(data);
    send_text(fixture, bad_lines[row].line);
    expect_log(fixture, bad_lines[row].log);
}

static void test_nul_in_line(Fixture *fixture, gconstpointer data)
{
    send_bytes(fixture, "{\"event\": \"A\"}\0x\n", 17);
    expect_log(fixture, "closed qmp.syntax\n");
}

/* A megabyte of brackets would overflow a recursive parser's stack. */
static void test_deep_line(Fixture *fixture, gconstpointer data)
{
    g_autofree char *deep = g_strnfill(200000, '[');
    send_text(fixture, deep);
    send_text(fixture, "\n");
    expect_log(fixture, "closed qmp.syntax\n");
}

static void test_endless_line(Fixture *fixture, gconstpointer data)
{
    g_autofree char *longest = g_strnfill(BERTH_QMP_LINE_MAX, ' ');
    send_text(fixture, longest);
    expect_log(fixture, "");
    send_text(fixture, " ");
    expect_log(fixture, "closed qmp.line\n");
}

#define ADD(name, data, function)                                                                  \
    g_test_add("/vmm/qmp/" name, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("waits-for-greeting", NULL, test_waits_for_greeting);
    ADD("arguments", NULL, test_arguments);
    ADD("split-answers-with-events-between", NULL, test_split_answers_with_events_between);
    ADD("close-fails-pending-commands", NULL, test_close_fails_pending_commands);
    ADD("status-of-a-migration", NULL, test_status_of_a_migration);
    ADD("descriptors", NULL, test_descriptors);
    ADD("descriptors-unsent", NULL, test_descriptors_unsent);
    ADD("event-of-a-port", NULL, test_event_of_a_port);
    ADD("event-just-before-the-end", NULL, test_event_just_before_the_end);
    ADD("freed-by-its-callback", NULL, test_freed_by_its_callback);
    ADD("freed-while-failing", NULL, test_freed_while_failing);
    ADD("capabilities-refused", NULL, test_capabilities_refused);
    for (gsize row = 0; row < G_N_ELEMENTS(bad_lines); row++) {
        g_autofree char *name = g_strdup_printf("/vmm/qmp/bad-line/%" G_GSIZE_FORMAT, row);
        g_test_add(name, Fixture, GSIZE_TO_POINTER(row), set_up, test_bad_line, tear_down);
    }
    ADD("nul-in-line", NULL, test_nul_in_line);
    ADD("deep-line", NULL, test_deep_line);
    ADD("endless-line", NULL, test_endless_line);
    return g_test_run();
}
