/* SPDX-License-Identifier: MIT
 *
 * The alarm: it calls back at its time, or not at all.
 */
#include "instance/keeper/alarm.h"

typedef struct {
    GMainLoop *loop;
    BerthAlarm *alarm;
    int calls;
    gint64 called_usec;
    bool frees;
} Fixture;

static void on_time(gpointer user_data)
{
    Fixture *fixture = user_data;
    fixture->calls++;
    fixture->called_usec = g_get_real_time();
    if (fixture->frees)
        g_clear_pointer(&fixture->alarm, berth_alarm_free);
    g_main_loop_quit(fixture->loop);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->loop = g_main_loop_new(NULL, FALSE);
    fixture->alarm = berth_alarm_new(on_time, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_alarm_free(fixture->alarm);
    g_main_loop_unref(fixture->loop);
}

static void test_in_time(Fixture *fixture, gconstpointer data)
{
    gint64 when = g_get_real_time() + 50000;
    g_assert_true(berth_alarm_set(fixture->alarm, when));
    g_main_loop_run(fixture->loop);
    g_assert_cmpint(fixture->calls, ==, 1);
    g_assert_cmpint(fixture->called_usec, >=, when);
}

static void test_a_time_that_is_over(Fixture *fixture, gconstpointer data)
{
    g_assert_true(berth_alarm_set(fixture->alarm, g_get_real_time() - G_USEC_PER_SEC));
    g_main_loop_run(fixture->loop);
    g_assert_true(berth_alarm_set(fixture->alarm, 1));
    g_main_loop_run(fixture->loop);
    g_assert_cmpint(fixture->calls, ==, 2);
}

static gboolean quit(gpointer user_data)
{
    g_main_loop_quit(user_data);
    return G_SOURCE_REMOVE;
}

static void test_another_time(Fixture *fixture, gconstpointer data)
{
    gint64 now = g_get_real_time();
    g_assert_true(berth_alarm_set(fixture->alarm, now + 20000));
    g_assert_true(berth_alarm_set(fixture->alarm, now + 60 * G_USEC_PER_SEC));
    g_timeout_add(60, quit, fixture->loop);
    g_main_loop_run(fixture->loop);
    g_assert_cmpint(fixture->calls, ==, 0);
    g_assert_true(berth_alarm_set(fixture->alarm, now + 80000));
    g_assert_true(berth_alarm_set(fixture->alarm, 0));
    g_timeout_add(60, quit, fixture->loop);
    g_main_loop_run(fixture->loop);
    g_assert_cmpint(fixture->calls, ==, 0);
}

static void test_freed_when_called(Fixture *fixture, gconstpointer data)
{
    fixture->frees = true;
    g_assert_true(berth_alarm_set(fixture->alarm, 1));
    g_main_loop_run(fixture->loop);
    g_assert_null(fixture->alarm);
}

#define ADD(name, test) g_test_add("/instance/alarm/" name, Fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("in-time", test_in_time);
    ADD("a-time-that-is-over", test_a_time_that_is_over);
    ADD("another-time", test_another_time);
    ADD("freed-when-called", test_freed_when_called);
    return g_test_run();
}
