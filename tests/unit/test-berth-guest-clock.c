/* SPDX-License-Identifier: MIT
 *
 * When the guest steps its time of day, with clocks that jump forward and back.
 */
#include "os/clock.h"

#include <glib.h>

#define SECOND ((guint64)1000000000)
#define DAY    (86400 * SECOND)
#define HOST   (20000 * DAY)

static bool is_off(guint64 now, guint64 age_sec)
{
    return clock_is_off(now, HOST, age_sec * 1000000, SECOND);
}

static void test_within_tolerance(void)
{
    g_assert_false(is_off(HOST, 0));
    g_assert_false(is_off(HOST - SECOND, 0));
    g_assert_false(is_off(HOST + SECOND, 0));
    g_assert_true(is_off(HOST - SECOND - 1, 0));
    g_assert_true(is_off(HOST + SECOND + 1, 0));
}

/* The host's clock was set: the guest's is a day behind, or ahead. */
static void test_host_steps(void)
{
    g_assert_true(is_off(HOST - DAY, 0));
    g_assert_true(is_off(HOST + DAY, 0));
    g_assert_true(is_off(0, 0));
}

/* The message is old: the guest's clock may have gone on since. */
static void test_age(void)
{
    g_assert_false(is_off(HOST + 30 * SECOND, 30));
    g_assert_false(is_off(HOST + 31 * SECOND, 30));
    g_assert_true(is_off(HOST + 31 * SECOND + 1, 30));
    g_assert_true(is_off(HOST - SECOND - 1, 30));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/clock/within-tolerance", test_within_tolerance);
    g_test_add_func("/berth-guest/clock/host-steps", test_host_steps);
    g_test_add_func("/berth-guest/clock/age", test_age);
    return g_test_run();
}
