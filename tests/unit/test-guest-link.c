/* SPDX-License-Identifier: MIT
 *
 * Draining several links, whose other ends a thread reads in its own order.
 */
#include "base/fd.h"
#include "guest/link.h"

#include <sys/socket.h>
#include <unistd.h>

#define LINKS 4
#define BYTES (4u * 1024 * 1024) /* more than a socket buffers */
#define LONG  60000u             /* msec: only a failing test waits so long */

static bool on_frame(BerthLink *link, const WireFrame *frame, gpointer data)
{
    return true;
}

static void on_closed(BerthLink *link, const GError *error, gpointer data)
{
}

typedef struct {
    BerthLink *links[LINKS];
    int others[LINKS];
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree guint8 *bytes = g_malloc0(BYTES);
    for (guint i = 0; i < LINKS; i++) {
        int pair[2];
        g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
        fixture->links[i] = berth_link_new(pair[0], on_frame, on_closed, NULL);
        fixture->others[i] = pair[1];
        wire_buffer_append(berth_link_output(fixture->links[i]), bytes, BYTES);
    }
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < LINKS; i++) {
        berth_link_free(fixture->links[i]);
        berth_fd_close(&fixture->others[i]);
    }
}

static void read_all(int fd)
{
    static char bytes[65536];
    for (gsize total = 0; total < BYTES;) {
        ssize_t size = read(fd, bytes, sizeof(bytes));
        g_assert_cmpint(size, >, 0);
        total += (gsize)size;
    }
}

static gpointer read_last_first(gpointer data)
{
    const Fixture *fixture = data;
    for (guint i = LINKS; i > 0; i--)
        read_all(fixture->others[i - 1]);
    return NULL;
}

/* The first link is read only after all others have drained: no link waits for another. */
static void test_drain_in_any_order(Fixture *fixture, gconstpointer data)
{
    GThread *reader = g_thread_new("reader", read_last_first, fixture);
    berth_link_drain_all(fixture->links, LINKS, LONG);
    for (guint i = 0; i < LINKS; i++)
        g_assert_cmpuint(berth_link_pending(fixture->links[i]), ==, 0);
    g_thread_join(reader);
}

/* Closed links cause no delay; unread links delay for at most the timeout. */
static void test_closed_and_blocked_peers(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < LINKS / 2; i++)
        berth_fd_close(&fixture->others[i]);
    berth_link_drain_all(fixture->links, LINKS / 2, LONG);
    berth_link_drain_all(fixture->links, LINKS, 1);
    for (guint i = 0; i < LINKS; i++)
        g_assert_cmpint(berth_link_pending(fixture->links[i]) == 0, ==, i < LINKS / 2);
    berth_link_drain_all(fixture->links, 0, LONG);
}

static void test_hold(void)
{
    int pair[2];
    char bytes[64];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    BerthLink *link = berth_link_new(pair[0], on_frame, on_closed, NULL);
    wire_buffer_append(berth_link_output(link), "before", 6);
    berth_link_hold(link);
    wire_buffer_append(berth_link_output(link), "after", 5);
    berth_link_flush(link);
    g_assert_cmpint(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT), ==, 6);
    g_assert_cmpmem(bytes, 6, "before", 6);
    berth_link_flush(link);
    g_assert_cmpint(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT), ==, -1);
    g_assert_cmpuint(berth_link_pending(link), ==, 5);
    berth_link_release(link);
    g_assert_cmpint(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT), ==, 5);
    g_assert_cmpmem(bytes, 5, "after", 5);
    berth_link_free(link);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/guest/link/drain-in-any-order", Fixture, NULL, set_up, test_drain_in_any_order,
               tear_down);
    g_test_add("/guest/link/closed-and-blocked-peers", Fixture, NULL, set_up,
               test_closed_and_blocked_peers, tear_down);
    g_test_add_func("/guest/link/hold", test_hold);
    return g_test_run();
}
