/* SPDX-License-Identifier: MIT */
#include "share/share_private.h"

#include "base/fd.h"

#include <errno.h>

typedef struct {
    Share share;
    guint64 top; /* a watched directory */
} Fixture;

static void on_forgotten(const BerthNode *node, gpointer user_data)
{
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    Share *share = &fixture->share;
    g_mutex_init(&share->lock);
    share->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    share->echoes = share_echoes_new();
    share->nodes = berth_nodes_new(0, NULL, on_forgotten, NULL);
    fixture->top = berth_nodes_add_share(share->nodes, "home/ann", 0, &(BerthNodeKey){0});
    berth_nodes_set_watch(share->nodes, fixture->top, 1);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    Share *share = &fixture->share;
    berth_nodes_free(share->nodes);
    share_echoes_free(share->echoes);
    berth_fd_close(&share->inotify);
    g_mutex_clear(&share->lock);
}

static void test_a_change_of_the_guests_is_expected_once(Fixture *fixture, gconstpointer data)
{
    Share *share = &fixture->share;
    char byte;
    g_assert_cmpint(share_echo_read(share, &byte, 1), ==, -1); /* events are being read */
    g_assert_cmpint(errno, ==, EAGAIN);
    share_echo_end(share, share_echo_begin(share, fixture->top, "a", IN_CREATE), true);
    g_assert_false(share_echo_consume(share, fixture->top, "b", IN_CREATE));
    g_assert_false(share_echo_consume(share, fixture->top, "a", IN_DELETE));
    g_assert_true(share_echo_consume(share, fixture->top, "a", IN_CREATE));
    g_assert_false(share_echo_consume(share, fixture->top, "a", IN_CREATE));
}

static void test_what_was_merged_is_not_expected_for_ever(Fixture *fixture, gconstpointer data)
{
    Share *share = &fixture->share;
    share_echo_end(share, share_echo_begin(share, fixture->top, "a", IN_MODIFY), true);
    share_echo_handled(share); /* and nothing is left to read */
    g_assert_false(share_echo_consume(share, fixture->top, "a", IN_MODIFY));
}

static gpointer take_created(gpointer data)
{
    Fixture *fixture = data;
    return GINT_TO_POINTER(share_echo_consume(&fixture->share, fixture->top, "a", IN_CREATE));
}

/* The guest tries to create a name that the host has just created. */
static void test_a_failed_change_has_no_event(Fixture *fixture, gconstpointer data)
{
    Share *share = &fixture->share;
    for (guint i = 0; i < 100; i++) {
        ShareEcho *echo = share_echo_begin(share, fixture->top, "a", IN_CREATE);
        GThread *events = g_thread_new("events", take_created, fixture);
        g_thread_yield();
        share_echo_end(share, echo, false);
        g_assert_null(g_thread_join(events));
    }
}

static void test_a_write_does_not_keep_events_waiting(Fixture *fixture, gconstpointer data)
{
    Share *share = &fixture->share;
    ShareEcho *echo = share_echo_begin(share, fixture->top, "a", IN_MODIFY);
    g_assert_true(share_echo_consume(share, fixture->top, "a", IN_MODIFY));
    share_echo_end(share, echo, true);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/share/echo/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("once", test_a_change_of_the_guests_is_expected_once);
    ADD("merged", test_what_was_merged_is_not_expected_for_ever);
    ADD("failed", test_a_failed_change_has_no_event);
    ADD("write", test_a_write_does_not_keep_events_waiting);
    return g_test_run();
}
