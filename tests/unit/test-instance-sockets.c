/* SPDX-License-Identifier: MIT
 *
 * Unix sockets of the guest on the host: real clients on one side, on the other a fake guest that
 * records its frames.
 */
#include "base/error.h"
#include "base/fd.h"
#include "instance/keeper/sockets.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    char *dir;
    struct sockaddr_un address;
    BerthStreams *streams;
    BerthSockets *sockets;
    guint32 last_stream;
    GString *log;   /* the types of the frames to the guest, and the log lines */
    GString *bytes; /* of DATA */
} Fixture;

static void put(Fixture *fixture, WireType type, WireChannel channel, const void *payload,
                gsize size)
{
    const WireFrame frame = {.type = (guint8)type,
                             .channel = (guint8)channel,
                             .stream = fixture->last_stream,
                             .payload = payload,
                             .size = (guint32)size};
    berth_streams_deliver(fixture->streams, &frame);
}

static void on_send(const WireFrame *frame, guint32 stream, gpointer data)
{
    Fixture *fixture = data;
    fixture->last_stream = stream;
    if (frame->type != WIRE_DATA) {
        g_string_append_printf(fixture->log, "%s;", wire_type_name(frame->type));
        return;
    }
    g_string_append_len(fixture->bytes, (const char *)frame->payload, frame->size);
}

static void on_note(const char *text, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "note %s;", text);
}

static void on_hang_up(guint32 stream, gpointer data)
{
    g_assert_not_reached(); /* each connection says CLOSE itself */
}

static const BerthStreamsOps ops = {on_send, on_hang_up};

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    fixture->dir = g_dir_make_tmp("berth-sockets-XXXXXX", NULL);
    fixture->log = g_string_new(NULL);
    fixture->bytes = g_string_new(NULL);
    fixture->address.sun_family = AF_UNIX;
    g_snprintf(fixture->address.sun_path, sizeof(fixture->address.sun_path), "%s/docker.sock",
               fixture->dir);
    g_assert_true(g_file_set_contents(fixture->address.sun_path, "left over", -1, NULL));
    fixture->streams = berth_streams_new(&ops, fixture);
    fixture->sockets = berth_sockets_new(fixture->dir, fixture->streams, on_note, fixture, &error);
    g_assert_no_error(error);
    berth_sockets_set_up(fixture->sockets, true);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_sockets_free(fixture->sockets);
    berth_streams_free(fixture->streams);
    g_assert_cmpint(g_rmdir(fixture->dir), ==, 0); /* nothing is left in it */
    g_string_free(fixture->log, TRUE);
    g_string_free(fixture->bytes, TRUE);
    g_free(fixture->dir);
}

static void turn(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static int connect_client(Fixture *fixture)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), ==,
                    0);
    turn();
    return fd;
}

static void expect_said(Fixture *fixture, const char *text)
{
    turn();
    g_assert_cmpstr(fixture->log->str, ==, text);
    g_string_truncate(fixture->log, 0);
}

static void open_stream(Fixture *fixture)
{
    static const guint8 no_process_no_warning[9];
    put(fixture, WIRE_OPENED, WIRE_STDIN, no_process_no_warning, sizeof(no_process_no_warning));
}

static void exit_stream(Fixture *fixture)
{
    const guint8 status[] = {WIRE_EXITED, 0};
    put(fixture, WIRE_EXIT, WIRE_STDOUT, status, sizeof(status));
    turn();
}

static void expect_read(int fd, const char *text)
{
    char bytes[100];
    ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    g_assert_cmpint(size, ==, strlen(text));
    g_assert_cmpmem(bytes, size, text, strlen(text));
}

static void expect_nothing(int fd)
{
    char byte;
    g_assert_cmpint(recv(fd, &byte, 1, MSG_DONTWAIT), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
}

static void test_socket_is_private(Fixture *fixture, gconstpointer data)
{
    struct stat st;
    g_assert_cmpint(stat(fixture->address.sun_path, &st), ==, 0);
    g_assert_true(S_ISSOCK(st.st_mode));
    g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
}

static void test_bytes_and_ends(Fixture *fixture, gconstpointer data)
{
    berth_autofd int client = connect_client(fixture);
    expect_said(fixture, "CONNECT;");
    open_stream(fixture);
    g_assert_cmpint(send(client, "question", 8, 0), ==, 8);
    shutdown(client, SHUT_WR);
    expect_said(fixture, "EOF;");
    g_assert_cmpstr(fixture->bytes->str, ==, "question");

    put(fixture, WIRE_DATA, WIRE_STDOUT, "answer", 6);
    turn();
    expect_read(client, "answer");
    expect_nothing(client);
    put(fixture, WIRE_EOF, WIRE_STDOUT, NULL, 0);
    exit_stream(fixture);
    expect_read(client, "");
    expect_said(fixture, "");
}

static void test_guest_ends_first(Fixture *fixture, gconstpointer data)
{
    berth_autofd int client = connect_client(fixture);
    open_stream(fixture);
    put(fixture, WIRE_EOF, WIRE_STDOUT, NULL, 0);
    turn();
    expect_read(client, "");
    g_assert_cmpint(send(client, "more", 4, 0), ==, 4);
    expect_said(fixture, "CONNECT;");
    g_assert_cmpstr(fixture->bytes->str, ==, "more");
}

static void test_client_disconnects(Fixture *fixture, gconstpointer data)
{
    int client = connect_client(fixture);
    open_stream(fixture);
    g_assert_cmpint(send(client, "last words", 10, 0), ==, 10);
    berth_fd_close(&client);
    expect_said(fixture, "CONNECT;EOF;CLOSE;");
    g_assert_cmpstr(fixture->bytes->str, ==, "last words");
    put(fixture, WIRE_EXIT, WIRE_STDIN, NULL, 0); /* late: nobody's any more */
    expect_said(fixture, "");
}

/* At most a window is read before the guest grants credit, and all of it afterwards. */
static void test_window(Fixture *fixture, gconstpointer data)
{
    int client = connect_client(fixture);
    open_stream(fixture);
    g_autofree char *zeros = g_malloc0(65536);
    gsize sent = 0;
    for (ssize_t size = 1; size > 0; turn())
        if ((size = send(client, zeros, 65536, MSG_DONTWAIT)) > 0)
            sent += (gsize)size;
    g_assert_cmpuint(fixture->bytes->len, ==, WIRE_WINDOW);
    g_assert_cmpuint(sent, >, WIRE_WINDOW);

    berth_fd_close(&client); /* its data is still delivered */
    expect_said(fixture, "CONNECT;");
    while (fixture->bytes->len < sent) {
        guint32 credit = GUINT32_TO_LE(WIRE_WINDOW);
        put(fixture, WIRE_CREDIT, WIRE_STDIN, &credit, sizeof(credit));
        turn();
    }
    expect_said(fixture, "EOF;CLOSE;");
    g_assert_cmpuint(fixture->bytes->len, ==, sent);
}

static void test_flood(Fixture *fixture, gconstpointer data)
{
    berth_autofd int client = connect_client(fixture);
    open_stream(fixture);
    g_autofree char *zeros = g_malloc0(WIRE_DATA_MAX);
    for (guint i = 0; i < 2 * WIRE_WINDOW / WIRE_DATA_MAX; i++)
        put(fixture, WIRE_DATA, WIRE_STDOUT, zeros, WIRE_DATA_MAX);
    g_assert_true(g_str_has_suffix(fixture->log->str, "CLOSE;note the guest broke the protocol;"));
}

static void test_invalid_frames(Fixture *fixture, gconstpointer data)
{
    static const struct {
        WireType type;
        WireChannel channel;
        gsize size;
    } rows[] = {{WIRE_DATA, WIRE_STDIN, 1},   {WIRE_DATA, WIRE_STDERR, 1},
                {WIRE_EOF, WIRE_STDERR, 0},   {WIRE_EOF, WIRE_STDOUT, 1},
                {WIRE_CREDIT, WIRE_STDIN, 2}, {WIRE_CREDIT, WIRE_STDOUT, 4},
                {WIRE_CREDIT, WIRE_STDIN, 4}, {WIRE_EXIT, WIRE_STDIN, 1},
                {WIRE_OPEN, WIRE_STDIN, 0},   {(WireType)200, WIRE_STDIN, 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        berth_autofd int client = connect_client(fixture);
        put(fixture, rows[i].type, rows[i].channel, "\1\1\1\1", rows[i].size);
        turn();
        expect_read(client, "");
        g_assert_true(strstr(fixture->log->str, "note the guest broke the protocol;") != NULL);
        g_string_truncate(fixture->log, 0);
    }
}

static void test_connection_refused_in_the_guest(Fixture *fixture, gconstpointer data)
{
    berth_autofd int client = connect_client(fixture);
    WireBuffer payload = {0};
    wire_put_u8(&payload, 125);
    wire_put_string(&payload, "/run/docker.sock: No such file or directory");
    put(fixture, WIRE_FAILED, WIRE_STDIN, wire_buffer_head(&payload), wire_buffer_size(&payload));
    wire_buffer_clear(&payload);
    expect_said(fixture, "CONNECT;note /run/docker.sock: No such file or directory;");
    expect_read(client, "");
}

static void test_waits_until_the_guest_is_up(Fixture *fixture, gconstpointer data)
{
    berth_sockets_set_up(fixture->sockets, false);
    berth_autofd int client = connect_client(fixture);
    g_assert_cmpint(send(client, "early", 5, 0), ==, 5);
    expect_said(fixture, "");
    berth_sockets_set_up(fixture->sockets, true);
    expect_said(fixture, "CONNECT;");
    g_assert_cmpstr(fixture->bytes->str, ==, "early");
    berth_sockets_reset(fixture->sockets);
    expect_read(client, "");
    expect_said(fixture, "");
}

static void test_too_long_path(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_strnfill(120, 'x');
    g_assert_null(berth_sockets_new(dir, NULL, on_note, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.path");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/instance/sockets/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("socket-is-private", test_socket_is_private);
    ADD("bytes-and-ends", test_bytes_and_ends);
    ADD("guest-ends-first", test_guest_ends_first);
    ADD("client-disconnects", test_client_disconnects);
    ADD("window", test_window);
    ADD("flood", test_flood);
    ADD("invalid-frames", test_invalid_frames);
    ADD("connection-refused-in-the-guest", test_connection_refused_in_the_guest);
    ADD("waits-until-the-guest-is-up", test_waits_until_the_guest_is_up);
    g_test_add_func("/instance/sockets/path-too-long", test_too_long_path);
    return g_test_run();
}
