/* SPDX-License-Identifier: MIT
 *
 * When a paused QEMU is resumed: with a fake QEMU, which may stop again at once, and a fake kernel
 * that may have lost writes.
 */
#include "instance/keeper/pause.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/statvfs.h>
#include <stdbool.h>

#define TURN_MSEC 5

typedef struct {
    BerthPause *pause;
    char *disk;
    guint tries;
    guint refused; /* retries that fail again */
    guint late;    /* turns until they fail */
    GSource *stopper;
    GString *log;
} Fixture;

static int loss; /* the writeback error that the fake kernel reports once */

int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
    errno = loss;
    loss = 0;
    return errno != 0 ? -1 : 0;
}

static guint64 room; /* free bytes of the fake host's disk */

int fstatvfs(int fd, struct statvfs *info)
{
    *info = (struct statvfs){.f_bavail = room, .f_frsize = 1};
    return 0;
}

static gboolean on_stop(gpointer data)
{
    Fixture *fixture = data;
    g_clear_pointer(&fixture->stopper, g_source_unref);
    berth_pause_stopped(fixture->pause);
    return G_SOURCE_REMOVE;
}

/* Just before a turn of the same moment. */
static void stop_later(Fixture *fixture)
{
    fixture->stopper = g_timeout_source_new(fixture->late * TURN_MSEC);
    g_source_set_priority(fixture->stopper, G_PRIORITY_HIGH);
    g_source_set_callback(fixture->stopper, on_stop, fixture, NULL);
    g_source_attach(fixture->stopper, NULL);
}

static void on_resume(gpointer data)
{
    Fixture *fixture = data;
    fixture->tries++;
    berth_pause_resumed(fixture->pause);
    if (fixture->tries <= fixture->refused && fixture->late == 0)
        berth_pause_stopped(fixture->pause);
    else if (fixture->tries <= fixture->refused)
        stop_later(fixture);
}

static void on_changed(const char *reason, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "%s;", reason != NULL ? reason : "over");
}

static void on_lost(const char *reason, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "lost: %s;", reason);
}

static const BerthPauseOps ops = {on_resume, on_changed, on_lost};

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->log = g_string_new(NULL);
    fixture->disk = g_dir_make_tmp("berth-pause-XXXXXX", NULL);
    fixture->pause = berth_pause_new(fixture->disk, TURN_MSEC, &ops, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_pause_free(fixture->pause);
    g_rmdir(fixture->disk);
    g_free(fixture->disk);
    g_string_free(fixture->log, TRUE);
}

static void stop(Fixture *fixture, const char *words)
{
    berth_pause_failed(fixture->pause, words);
    berth_pause_stopped(fixture->pause);
}

static void run_until_over(Fixture *fixture)
{
    while (berth_pause_reason(fixture->pause) != NULL)
        g_main_context_iteration(NULL, TRUE);
}

static void test_resumes_when_the_host_can_write(Fixture *fixture, gconstpointer data)
{
    fixture->refused = 3;
    stop(fixture, "No space left on device");
    g_assert_cmpstr(berth_pause_reason(fixture->pause), ==, "the host's disk is full");
    run_until_over(fixture);
    g_assert_cmpstr(fixture->log->str, ==, "the host's disk is full;over;"); /* once each */
    g_assert_cmpuint(fixture->tries, ==, 4);

    stop(fixture, "Disk quota exceeded"); /* a new stop */
    run_until_over(fixture);
    g_assert_cmpstr(fixture->log->str, ==,
                    "the host's disk is full;over;the quota on the host's disk is used up;over;");
}

/* A read error without a stop is ignored, and so is a RESUME without a request. */
static void test_not_paused(Fixture *fixture, gconstpointer data)
{
    berth_pause_failed(fixture->pause, "Input/output error");
    berth_pause_resumed(fixture->pause);
    berth_pause_retry(fixture->pause);
    g_assert_null(berth_pause_reason(fixture->pause));
    g_assert_null(berth_pause_reason(NULL));
    g_assert_cmpstr(fixture->log->str, ==, "");
    g_assert_cmpuint(fixture->tries, ==, 0);
}

static void test_retry_does_not_wait(Fixture *fixture, gconstpointer data)
{
    fixture->refused = 1;
    stop(fixture, "No space left on device");
    berth_pause_retry(fixture->pause);
    g_assert_cmpuint(fixture->tries, ==, 1);
    g_assert_nonnull(berth_pause_reason(fixture->pause));
    berth_pause_retry(fixture->pause);
    g_assert_cmpuint(fixture->tries, ==, 2);
    run_until_over(fixture);
    g_assert_cmpuint(fixture->tries, ==, 2);
}

/* QEMU may report the reason after the stop, with any text. */
static void test_reason_arrives_late(Fixture *fixture, gconstpointer data)
{
    berth_pause_stopped(fixture->pause);
    berth_pause_stopped(fixture->pause);
    g_autofree char *words = g_strnfill(5000, 'x');
    words[1] = '\033';
    berth_pause_failed(fixture->pause, words);
    berth_pause_failed(fixture->pause, words);
    g_assert_true(g_str_has_prefix(
        fixture->log->str, "QEMU has stopped it;the host cannot write the distro's disk: x xxx"));
    g_assert_cmpuint(fixture->log->len, <, 200);
}

/* Retries after 1, 2, 4, 8 ... at most 32 turns, or as soon as there is space. */
static void test_fails_for_good(Fixture *fixture, gconstpointer data)
{
    fixture->refused = G_MAXUINT;
    gint64 begun = g_get_monotonic_time();
    stop(fixture, "Input/output error");
    while (fixture->tries < 7)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(g_get_monotonic_time() - begun, >=, (1 + 2 + 4 + 8 + 16 + 32 + 32) * 4000);

    room += 1 << 20;
    guint turns = 0;
    for (; fixture->tries < 8; turns++)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(turns, <, 16);
}

/* A slowly failing device is wrongly considered resumed once, not each time. */
static void test_fails_late(Fixture *fixture, gconstpointer data)
{
    fixture->refused = 4;
    fixture->late = 5;
    stop(fixture, "Input/output error");
    while (fixture->tries <= fixture->refused || berth_pause_reason(fixture->pause) != NULL)
        g_main_context_iteration(NULL, TRUE);
    guint over = 0;
    for (const char *at = fixture->log->str; (at = strstr(at, "over;")) != NULL; at++)
        over++;
    g_assert_cmpuint(over, <=, 2);
    g_assert_cmpuint(fixture->tries, ==, 5);
}

/* The kernel reports a lost write once; QEMU, which has seen it too, fails every later flush. */
static void test_lost_writes(Fixture *fixture, gconstpointer data)
{
    loss = EIO;
    stop(fixture, "Input/output error");
    g_assert_true(g_str_has_suffix(fixture->log->str, "lost: Input/output error;"));
    g_string_truncate(fixture->log, 0);

    fixture->refused = 1;
    loss = ENOSYS; /* a failed query is not a loss */
    berth_pause_retry(fixture->pause);
    g_assert_cmpuint(fixture->tries, ==, 1);
    run_until_over(fixture);
    g_assert_cmpstr(fixture->log->str, ==, "over;");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/instance/pause/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("resumes-when-the-host-can-write", test_resumes_when_the_host_can_write);
    ADD("not-paused", test_not_paused);
    ADD("retry-does-not-wait", test_retry_does_not_wait);
    ADD("reason-arrives-late", test_reason_arrives_late);
    ADD("fails-for-good", test_fails_for_good);
    ADD("fails-late", test_fails_late);
    ADD("lost-writes", test_lost_writes);
    return g_test_run();
}
