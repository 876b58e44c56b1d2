/* SPDX-License-Identifier: MIT */
#include "instance/host/host_clock.h"

#include "base/zone.h"

#include <glib/gstdio.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    char *dir;
    char *link;
    BerthHostClock *clock;
    guint changes;
} Fixture;

static void on_change(gpointer data)
{
    ((Fixture *)data)->changes++;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->dir = g_dir_make_tmp("berth-clock-XXXXXX", NULL);
    fixture->link = g_build_filename(fixture->dir, "localtime", NULL);
    g_assert_cmpint(symlink("/usr/share/zoneinfo/Etc/UTC", fixture->link), ==, 0);
    fixture->clock = berth_host_clock_new(fixture->link, on_change, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_host_clock_free(fixture->clock);
    g_unlink(fixture->link);
    g_rmdir(fixture->dir);
    g_free(fixture->link);
    g_free(fixture->dir);
}

static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void expect_zone(const Fixture *fixture, const char *name)
{
    g_autofree char *zone = berth_zone_name(fixture->link);
    g_assert_cmpstr(zone, ==, name);
}

static void test_another_zone(Fixture *fixture, gconstpointer data)
{
    g_autofree char *beside = g_build_filename(fixture->dir, "new", NULL);
    expect_zone(fixture, "Etc/UTC");
    g_assert_cmpint(symlink("../usr/share/zoneinfo/Europe/Berlin", beside), ==, 0);
    settle();
    g_assert_cmpuint(fixture->changes, ==, 0); /* another file */
    g_assert_cmpint(rename(beside, fixture->link), ==, 0);
    settle();
    g_assert_cmpuint(fixture->changes, ==, 1);
    expect_zone(fixture, "Europe/Berlin");
}

static void test_no_zone(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(g_unlink(fixture->link), ==, 0);
    expect_zone(fixture, "");
    g_assert_true(g_file_set_contents(fixture->link, "TZif2", -1, NULL));
    settle();
    g_assert_cmpuint(fixture->changes, >, 0);
    expect_zone(fixture, "");
}

/* Sets the clock to its present time, which the watch reports as a jump. */
static void test_a_jump(Fixture *fixture, gconstpointer data)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (clock_settime(CLOCK_REALTIME, &now) < 0) {
        g_test_message("this user cannot set the clock");
        return;
    }
    settle();
    g_assert_cmpuint(fixture->changes, ==, 1);
    clock_gettime(CLOCK_REALTIME, &now);
    g_assert_cmpint(clock_settime(CLOCK_REALTIME, &now), ==, 0);
    settle();
    g_assert_cmpuint(fixture->changes, ==, 2);
}

static void test_nothing_to_watch(void)
{
    BerthHostClock *clock = berth_host_clock_new("/nonexistent/localtime", on_change, NULL);
    settle();
    berth_host_clock_free(clock);
    berth_host_clock_free(NULL);
}

#define ADD(path, func)                                                                            \
    g_test_add("/instance/host-clock/" path, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("another-zone", test_another_zone);
    ADD("no-zone", test_no_zone);
    ADD("a-jump", test_a_jump);
    g_test_add_func("/instance/host-clock/nothing-to-watch", test_nothing_to_watch);
    return g_test_run();
}
