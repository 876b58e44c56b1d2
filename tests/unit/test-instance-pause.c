/* SPDX-License-Identifier: MIT
 *
 * When a QEMU that the host has stopped is told to go on: with a QEMU written by hand, which may
 * stop again at once.
 */
#include "instance/keeper/pause.h"

#include <glib/gstdio.h>
#include <stdbool.h>

#define TURN_MSEC 5

typedef struct {
    BerthPause *pause;
    char *disk;
    guint tries;
    guint refused; /* of them, that stop again */
    GString *said;
} Fixture;

static void on_resume(gpointer data)
{
    Fixture *fixture = data;
    fixture->tries++;
    berth_pause_resumed(fixture->pause);
    if (fixture->tries <= fixture->refused)
        berth_pause_stopped(fixture->pause);
}

static void on_changed(const char *reason, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->said, "%s;", reason != NULL ? reason : "over");
}

static const BerthPauseOps ops = {on_resume, on_changed};

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->said = g_string_new(NULL);
    fixture->disk = g_dir_make_tmp("berth-pause-XXXXXX", NULL);
    fixture->pause = berth_pause_new(fixture->disk, TURN_MSEC, &ops, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_pause_free(fixture->pause);
    g_rmdir(fixture->disk);
    g_free(fixture->disk);
    g_string_free(fixture->said, TRUE);
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

static void test_goes_on_when_it_can(Fixture *fixture, gconstpointer data)
{
    fixture->refused = 3;
    stop(fixture, "No space left on device");
    g_assert_cmpstr(berth_pause_reason(fixture->pause), ==, "the host's disk is full");
    run_until_over(fixture);
    g_assert_cmpstr(fixture->said->str, ==, "the host's disk is full;over;"); /* and once each */
    g_assert_cmpuint(fixture->tries, ==, 4);

    stop(fixture, "Disk quota exceeded"); /* another time */
    run_until_over(fixture);
    g_assert_cmpstr(fixture->said->str, ==,
                    "the host's disk is full;over;the quota on the host's disk is used up;over;");
}

/* A failure without a stop, as of a read, is nothing; nor is a RESUME that nobody asked for. */
static void test_not_paused(Fixture *fixture, gconstpointer data)
{
    berth_pause_failed(fixture->pause, "Input/output error");
    berth_pause_resumed(fixture->pause);
    berth_pause_retry(fixture->pause);
    g_assert_null(berth_pause_reason(fixture->pause));
    g_assert_null(berth_pause_reason(NULL));
    g_assert_cmpstr(fixture->said->str, ==, "");
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

/* QEMU may say why only after the stop, and may say anything. */
static void test_reason_comes_late(Fixture *fixture, gconstpointer data)
{
    berth_pause_stopped(fixture->pause);
    berth_pause_stopped(fixture->pause);
    g_autofree char *words = g_strnfill(5000, 'x');
    words[1] = '\033';
    berth_pause_failed(fixture->pause, words);
    berth_pause_failed(fixture->pause, words);
    g_assert_true(g_str_has_prefix(
        fixture->said->str, "QEMU has stopped it;the host cannot write the distro's disk: x xxx"));
    g_assert_cmpuint(fixture->said->len, <, 200);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/instance/pause/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("goes-on-when-it-can", test_goes_on_when_it_can);
    ADD("not-paused", test_not_paused);
    ADD("retry-does-not-wait", test_retry_does_not_wait);
    ADD("reason-comes-late", test_reason_comes_late);
    return g_test_run();
}
