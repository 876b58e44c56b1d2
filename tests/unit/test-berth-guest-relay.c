/* SPDX-License-Identifier: MIT */
#include "ssh/relay.h"

#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE ((gsize)5 << 20)

/* The client's ends of the pipes, and the server's end of the socket. */
typedef struct {
    int to_server, from_server, server;
    GThread *relay;
} Fixture;

typedef struct {
    int input, output, socket;
} Ends;

static gpointer run(gpointer data)
{
    g_autofree Ends *ends = data;
    int result = relay_run(ends->input, ends->output, ends->socket);
    close(ends->input);
    close(ends->output);
    close(ends->socket);
    return GINT_TO_POINTER(result);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    int in[2], out[2], pair[2];
    g_assert_cmpint(pipe(in), ==, 0);
    g_assert_cmpint(pipe(out), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    Ends *ends = g_new(Ends, 1);
    *ends = (Ends){in[0], out[1], pair[0]};
    *fixture = (Fixture){.to_server = in[1], .from_server = out[0], .server = pair[1]};
    fixture->relay = g_thread_new("relay", run, ends);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    const int fds[] = {fixture->to_server, fixture->from_server, fixture->server};
    for (gsize i = 0; i < G_N_ELEMENTS(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (fixture->relay != NULL)
        g_thread_join(fixture->relay);
}

static void end_relay(Fixture *fixture)
{
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(fixture->relay)), ==, 0);
    fixture->relay = NULL;
}

typedef struct {
    int fd;
    const char *bytes;
} Sending;

static gpointer send_all(gpointer data)
{
    const Sending *sending = data;
    for (gsize done = 0; done < SIZE;) {
        ssize_t put = write(sending->fd, sending->bytes + done, SIZE - done);
        g_assert_cmpint(put, >, 0);
        done += (gsize)put;
    }
    return NULL;
}

static void expect_all(int fd, const char *bytes)
{
    g_autofree char *got = g_malloc(SIZE);
    gsize done = 0;
    while (done < SIZE) {
        ssize_t size = read(fd, got + done, SIZE - done);
        g_assert_cmpint(size, >, 0);
        done += (gsize)size;
    }
    g_assert_cmpmem(got, SIZE, bytes, SIZE);
}

static char *random_bytes(void)
{
    char *bytes = g_malloc(SIZE);
    for (gsize i = 0; i < SIZE; i++)
        bytes[i] = (char)g_test_rand_int();
    return bytes;
}

/* Both ways at once: neither waits for the other. */
static void test_both_ways(Fixture *fixture, gconstpointer data)
{
    g_autofree char *up = random_bytes();
    g_autofree char *down = random_bytes();
    const Sending to_server = {fixture->to_server, up};
    const Sending to_client = {fixture->server, down};
    GThread *first = g_thread_new("up", send_all, (gpointer)&to_server);
    GThread *second = g_thread_new("down", send_all, (gpointer)&to_client);
    expect_all(fixture->server, up);
    expect_all(fixture->from_server, down);
    g_thread_join(first);
    g_thread_join(second);
}

/* The client's end reaches the server, which may answer still. */
static void test_half_close(Fixture *fixture, gconstpointer data)
{
    char text[8];
    g_assert_cmpint(write(fixture->to_server, "last", 4), ==, 4);
    close(fixture->to_server);
    fixture->to_server = -1;
    g_assert_cmpint(recv(fixture->server, text, 4, MSG_WAITALL), ==, 4);
    g_assert_cmpint(read(fixture->server, text, sizeof(text)), ==, 0);
    g_assert_cmpint(write(fixture->server, "answer", 6), ==, 6);
    close(fixture->server);
    fixture->server = -1;
    end_relay(fixture);
    g_assert_cmpint(read(fixture->from_server, text, sizeof(text)), ==, 6);
    g_assert_cmpint(read(fixture->from_server, text, sizeof(text)), ==, 0);
}

static void test_server_ends(Fixture *fixture, gconstpointer data)
{
    close(fixture->server);
    fixture->server = -1;
    end_relay(fixture);
}

static void test_client_is_gone(Fixture *fixture, gconstpointer data)
{
    close(fixture->from_server);
    fixture->from_server = -1;
    g_assert_cmpint(write(fixture->server, "x", 1), ==, 1);
    end_relay(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add("/relay/both-ways", Fixture, NULL, set_up, test_both_ways, tear_down);
    g_test_add("/relay/half-close", Fixture, NULL, set_up, test_half_close, tear_down);
    g_test_add("/relay/server-ends", Fixture, NULL, set_up, test_server_ends, tear_down);
    g_test_add("/relay/client-is-gone", Fixture, NULL, set_up, test_client_is_gone, tear_down);
    return g_test_run();
}
