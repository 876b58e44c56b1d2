/* SPDX-License-Identifier: MIT
 *
 * The commands that QEMU gets; test-vmm-qemu_process.c moves a real guest. */
#include "base/error.h"
#include "base/fd.h"
#include "vmm/device_state.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY "{\"QMP\": {}}\r\n{\"return\": {}, \"id\": 0}\r\n"

/* A client and, at @qemu, the other end of its socket. */
typedef struct {
    BerthQmp *qmp;
    int qemu;
    BerthDeviceState *operation;
    GString *log;
} Fixture;

static void on_event(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data)
{
    Fixture *fixture = user_data;
    berth_device_state_event(fixture->operation, event);
}

static void on_done(GBytes *state, bool with_memory, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_autofree char *text = state == NULL
                                ? g_strdup("")
                                : g_strndup(g_bytes_get_data(state, NULL), g_bytes_get_size(state));
    g_string_append_printf(fixture->log, "%s \"%s\"%s;",
                           error != NULL ? berth_error_id(error) : "done", text,
                           with_memory ? " with memory" : "");
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    g_assert_cmpint(berth_fd_set_nonblocking(pair[0], true), ==, 0);
    fixture->qemu = pair[1];
    fixture->log = g_string_new(NULL);
    fixture->qmp = berth_qmp_new(pair[0], on_event, NULL, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_qmp_free(fixture->qmp);
    berth_device_state_free(fixture->operation);
    berth_fd_close(&fixture->qemu);
    g_string_free(fixture->log, TRUE);
}

static void run(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void say(Fixture *fixture, const char *text)
{
    g_assert_cmpint(berth_fd_write_all(fixture->qemu, text, strlen(text)), ==, 0);
    run();
}

static void expect(Fixture *fixture, const char *log)
{
    run();
    g_assert_cmpstr(fixture->log->str, ==, log);
    g_string_truncate(fixture->log, 0);
}

/* Read what was sent up to @last, the last of the commands; the descriptor that came with them is
 * the guest's end of the stream. */
static int read_commands(Fixture *fixture, const char *last, GString *text)
{
    int fd = -1;
    do {
        char bytes[4096];
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec room = {bytes, sizeof(bytes)};
        struct msghdr message = {.msg_iov = &room,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control.space)};
        run();
        ssize_t size = recvmsg(fixture->qemu, &message, MSG_DONTWAIT);
        g_assert_cmpint(size, >, 0);
        g_string_append_len(text, bytes, size);
        if (message.msg_controllen > 0)
            memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    } while (strstr(text->str, last) == NULL);
    return fd;
}

/* Begin to save, with a QEMU that answers @capabilities. Returns QEMU's end of the stream. */
static int begin_save(Fixture *fixture, const char *capabilities, GString *commands)
{
    g_autofree char *answer = g_strdup_printf("{\"return\": %s, \"id\": 1}\r\n", capabilities);
    fixture->operation = berth_device_state_save(fixture->qmp, on_done, fixture);
    say(fixture, READY);
    say(fixture, answer);
    return read_commands(fixture, "\"migrate\"", commands);
}

#define SHARED       "[{\"capability\": \"x-ignore-shared\", \"state\": false}]"
#define STATUS(word) "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" word "\"}}\r\n"

/* All bytes and QEMU's word have come, in either order. */
static void test_save(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) commands = g_string_new(NULL);
    berth_autofd int stream = begin_save(fixture, SHARED, commands);
    g_assert_nonnull(strstr(commands->str, "x-ignore-shared"));
    g_assert_null(strstr(commands->str, "max-bandwidth"));
    g_assert_cmpint(write(stream, "state", 5), ==, 5);
    say(fixture, STATUS("active"));
    if (data == NULL)
        say(fixture, STATUS("completed"));
    expect(fixture, "");
    berth_fd_close(&stream);
    if (data != NULL) {
        expect(fixture, "");
        say(fixture, STATUS("completed"));
    }
    expect(fixture, "done \"state\";");
}

static void test_without_the_capability(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) commands = g_string_new(NULL);
    berth_autofd int stream = begin_save(fixture, "[{\"capability\": 5}, 7]", commands);
    g_assert_null(strstr(commands->str, "x-ignore-shared"));
    g_assert_nonnull(strstr(commands->str, "max-bandwidth"));
    g_assert_cmpint(write(stream, "all", 3), ==, 3);
    berth_fd_close(&stream);
    say(fixture, STATUS("completed"));
    expect(fixture, "done \"all\" with memory;");
}

static void test_failures(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) commands = g_string_new(NULL);
    berth_autofd int stream = begin_save(fixture, SHARED, commands);
    if (g_str_equal(data, "refused"))
        say(fixture, "{\"error\": {\"desc\": \"no\"}, \"id\": 2}\r\n"
                     "{\"error\": {\"desc\": \"no\"}, \"id\": 3}\r\n");
    else if (g_str_equal(data, "failed"))
        say(fixture, STATUS("failed"));
    else
        berth_fd_close(&fixture->qemu);
    expect(fixture, g_str_equal(data, "refused")  ? "qmp.command \"\";"
                    : g_str_equal(data, "failed") ? "vmm.state.failed \"\";"
                                                  : "qmp.closed \"\";");
}

static void test_load(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) commands = g_string_new(NULL);
    g_autoptr(GBytes) state = g_bytes_new_static("state", 5);
    char text[8] = "";
    fixture->operation =
        berth_device_state_load(fixture->qmp, state, data != NULL, on_done, fixture);
    say(fixture, READY);
    berth_autofd int stream = read_commands(fixture, "\"migrate-incoming\"", commands);
    g_assert_cmpint(strstr(commands->str, "x-ignore-shared") == NULL, ==, data != NULL);
    g_assert_cmpint(read(stream, text, sizeof(text)), ==, 5);
    g_assert_cmpstr(text, ==, "state");
    expect(fixture, "");
    say(fixture, STATUS("completed"));
    expect(fixture, data != NULL ? "done \"\" with memory;" : "done \"\";");
}

#define ADD(name, data, function)                                                                  \
    g_test_add("/vmm/device-state/" name, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("save", NULL, test_save);
    ADD("save-word-last", "", test_save);
    ADD("without-the-capability", NULL, test_without_the_capability);
    ADD("refused", "refused", test_failures);
    ADD("failed", "failed", test_failures);
    ADD("closed", "closed", test_failures);
    ADD("load", NULL, test_load);
    ADD("load-with-memory", "", test_load);
    return g_test_run();
}
