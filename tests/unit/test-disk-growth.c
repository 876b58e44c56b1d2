/* SPDX-License-Identifier: MIT */
#include "disk/file/growth.h"

#include "base/error.h"
#include "base/fd.h"

#include <glib.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct {
    BerthGrowth reader;
    int reading, writing;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_growth_new(&fixture->reading, &fixture->writing, &error));
    fixture->reader = (BerthGrowth){.fd = fixture->reading};
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_fd_close(&fixture->reading);
    berth_fd_close(&fixture->writing);
}

static guint64 wait_beyond(Fixture *fixture, guint64 offset)
{
    guint64 ready = 0;
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_growth_wait(&fixture->reader, offset, -1, &ready, &error));
    g_assert_no_error(error);
    return ready;
}

static void test_it_only_increases(Fixture *fixture, gconstpointer data)
{
    const guint64 numbers[] = {0, 10, 5, 0, 10, 20};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        berth_growth_send(fixture->writing, numbers[i]);
    g_assert_cmpuint(wait_beyond(fixture, 0), ==, 10);
    g_assert_cmpuint(wait_beyond(fixture, 9), ==, 10);
    g_assert_cmpuint(wait_beyond(fixture, 10), ==, 20);
    berth_growth_complete(fixture->writing);
    g_assert_cmpuint(wait_beyond(fixture, 20), ==, BERTH_GROWTH_COMPLETE);
    berth_fd_close(&fixture->writing);
    g_assert_cmpuint(wait_beyond(fixture, G_MAXUINT64 - 1), ==, BERTH_GROWTH_COMPLETE);
}

static void test_the_writer_ends(Fixture *fixture, gconstpointer data)
{
    guint64 ready = 0;
    g_autoptr(GError) error = NULL;
    berth_growth_send(fixture->writing, 10);
    berth_fd_close(&fixture->writing);
    g_assert_cmpuint(wait_beyond(fixture, 9), ==, 10);
    g_assert_false(berth_growth_wait(&fixture->reader, 10, -1, &ready, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
    g_assert_cmpstr(berth_error_id(error), ==, "import.read.truncated");
}

static void test_a_cancel(Fixture *fixture, gconstpointer data)
{
    guint64 ready = 0;
    g_autoptr(GError) error = NULL;
    berth_autofd int cancel = eventfd(1, EFD_CLOEXEC);
    g_assert_false(berth_growth_wait(&fixture->reader, 0, cancel, &ready, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_CANCELLED);
}

static gpointer complete(gpointer data)
{
    Fixture *fixture = data;
    for (guint64 i = 1; i <= 100000; i++) /* more than there is room for */
        berth_growth_send(fixture->writing, i);
    berth_growth_complete(fixture->writing);
    return NULL;
}

/* Numbers may be lost, but never the last one. */
static void test_a_slow_reader(Fixture *fixture, gconstpointer data)
{
    GThread *writer = g_thread_new("writer", complete, fixture);
    g_assert_cmpuint(wait_beyond(fixture, 0), ==, 1);
    g_assert_cmpuint(wait_beyond(fixture, 100000), ==, BERTH_GROWTH_COMPLETE);
    g_thread_join(writer);
}

/* The writer waits for room until then, and gets no SIGPIPE. */
static void test_the_reader_ends(Fixture *fixture, gconstpointer data)
{
    GThread *writer = g_thread_new("writer", complete, fixture);
    g_assert_cmpuint(wait_beyond(fixture, 0), ==, 1);
    berth_fd_close(&fixture->reading);
    g_thread_join(writer);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)
    ADD("/growth/increases", test_it_only_increases);
    ADD("/growth/writer-ends", test_the_writer_ends);
    ADD("/growth/cancel", test_a_cancel);
    ADD("/growth/slow-reader", test_a_slow_reader);
    ADD("/growth/reader-ends", test_the_reader_ends);
    return g_test_run();
}
