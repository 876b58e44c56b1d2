/* SPDX-License-Identifier: MIT
 *
 * The guest's end of the channel, over a socket whose other end the test holds.
 */
#include "agent/host_channel.h"

#include <errno.h>
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYTES (4u * 1024 * 1024) /* more than a socket buffers */
#define LONG  60000              /* msec: only a failing test waits so long */

typedef struct {
    Channel channel;
    int host;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    g_assert_cmpint(channel_use_socket(&fixture->channel, pair[0]), ==, 0);
    fixture->host = pair[1];
    g_autofree guint8 *bytes = g_malloc0(BYTES);
    wire_buffer_append(&fixture->channel.out, bytes, BYTES);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    channel_reset(&fixture->channel);
    close(fixture->channel.fd);
    if (fixture->host >= 0)
        close(fixture->host);
}

static gpointer read_all(gpointer data)
{
    const Fixture *fixture = data;
    static char bytes[65536];
    for (gsize total = 0; total < BYTES;) {
        ssize_t size = read(fixture->host, bytes, sizeof(bytes));
        g_assert_cmpint(size, >, 0);
        total += (gsize)size;
    }
    return NULL;
}

/* Also if an unrelated frame from the host has arrived meanwhile. */
static void test_all_frames_are_sent(Fixture *fixture, gconstpointer data)
{
    wire_frame_put(&fixture->channel.in, WIRE_CLOCK, 0, 0, NULL, 0);
    GThread *reader = g_thread_new("reader", read_all, fixture);
    g_assert_cmpint(channel_drain(&fixture->channel, LONG), ==, 0);
    g_assert_cmpuint(wire_buffer_size(&fixture->channel.out), ==, 0);
    g_thread_join(reader);
    g_assert_cmpint(channel_drain(&fixture->channel, LONG), ==, 0);
}

static void test_blocked_host(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(channel_drain(&fixture->channel, 1), ==, -ETIMEDOUT);
}

static void test_closed_host(Fixture *fixture, gconstpointer data)
{
    close(fixture->host);
    fixture->host = -1;
    signal(SIGPIPE, SIG_IGN);
    g_assert_cmpint(channel_drain(&fixture->channel, LONG), ==, -EPIPE);
}

static int next_free(void)
{
    int fd = dup(STDOUT_FILENO);
    close(fd);
    return fd;
}

/* If a channel cannot be watched, its descriptor is closed. */
static void test_fork_leaks_no_bytes(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL;
    int plain = g_file_open_tmp(NULL, &path, NULL); /* epoll rejects regular files */
    Channel channel = {.fd = plain};
    WireFrame frame;
    int free_before = next_free();
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(channel_wait_frame(&channel, 1, &frame), ==, -EPERM);
        g_assert_cmpint(channel_drain(&channel, 1), ==, -EPERM);
    }
    g_assert_cmpint(next_free(), ==, free_before);
    close(plain);
    unlink(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/berth-guest/channel/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("all-frames-are-sent", test_all_frames_are_sent);
    ADD("blocked-host", test_blocked_host);
    ADD("closed-host", test_closed_host);
    ADD("fork-leaks-no-bytes", test_fork_leaks_no_bytes);
    return g_test_run();
}
