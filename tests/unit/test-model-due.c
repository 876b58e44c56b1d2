/* SPDX-License-Identifier: MIT
 *
 * When a distro is woken for what it wants to do, and how long it stays awake; with guests that
 * lie.
 */
#include "model/due.h"

#include <string.h>

#define SEC ((gint64)G_USEC_PER_SEC)
#define NOW (G_GINT64_CONSTANT(1796025600) * SEC)

static BerthDue due_in(gint64 sec, guint32 lead, guint32 hold)
{
    BerthDue due = {0};
    berth_due_set(&due, (guint64)(NOW / SEC + sec), lead, hold, "backup.timer", NOW);
    return due;
}

static void test_wake(void)
{
    BerthDue due = due_in(3600, 60, 30);
    g_assert_cmpstr(due.name, ==, "backup.timer");
    g_assert_false(berth_due_is_near(&due, NOW));
    g_assert_cmpint(berth_due_hold(&due, NOW), ==, 0);
    g_assert_cmpint(berth_due_wake(&due, NOW), ==, NOW + 3540 * SEC);
    gint64 woken = NOW + 3541 * SEC;
    g_assert_true(berth_due_is_near(&due, woken));
    g_assert_cmpint(berth_due_hold(&due, woken), ==, (59 + 30) * SEC);
    g_assert_cmpint(berth_due_hold(&due, NOW + 3629 * SEC), ==, SEC);
    g_assert_cmpint(berth_due_hold(&due, NOW + 4000 * SEC), ==, 0);
    berth_due_clear(&due);
    g_assert_null(due.name);
    g_assert_cmpint(due.at_usec, ==, 0);
}

/* It is asked to be suspended although something is due: it sleeps as long as possible. */
static void test_near(void)
{
    BerthDue due = due_in(40, 60, 30);
    g_assert_true(berth_due_is_near(&due, NOW));
    g_assert_cmpint(berth_due_hold(&due, NOW), ==, 70 * SEC);
    g_assert_cmpint(berth_due_wake(&due, NOW), ==, NOW + 37 * SEC);
    g_assert_cmpint(berth_due_wake(&due, NOW + 39 * SEC), ==, NOW + 39 * SEC);
    g_assert_cmpint(berth_due_wake(&due, NOW + 90 * SEC), ==, NOW + 90 * SEC);
    berth_due_clear(&due);
    due = due_in(14, 5, 5);
    g_assert_true(berth_due_is_near(&due, NOW));
    g_assert_false(berth_due_is_near(&due, NOW - 2 * SEC));
    berth_due_clear(&due);
}

static void test_nothing(void)
{
    BerthDue due = {0};
    g_assert_false(berth_due_is_near(&due, NOW));
    g_assert_cmpint(berth_due_wake(&due, NOW), ==, 0);
    g_assert_cmpint(berth_due_hold(&due, NOW), ==, 0);
}

static void test_lies(void)
{
    static const guint64 times[] = {0,           1,          G_MAXUINT32,
                                    G_MAXUINT64, G_MAXINT64, (guint64)G_MAXINT64 / 1000000 + 1};
    BerthDue due = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        berth_due_set(&due, times[i], G_MAXUINT32, G_MAXUINT32, "x", NOW);
        g_assert_cmpint(due.at_usec, ==, 0);
        g_assert_null(due.name);
    }
    due = due_in((gint64)BERTH_DUE_DAYS_MAX * 86400 + 1, 0, 0);
    g_assert_cmpint(due.at_usec, ==, 0);
    due = due_in(-5, 0, 5);
    g_assert_cmpint(due.at_usec, ==, 0);
    due = due_in(-5, 0, 6);
    g_assert_cmpint(berth_due_hold(&due, NOW), ==, SEC);
    g_assert_cmpint(berth_due_wake(&due, NOW), ==, NOW);
    berth_due_clear(&due);
    due = due_in(1000, G_MAXUINT32, G_MAXUINT32);
    g_assert_cmpint(due.lead_usec, ==, BERTH_DUE_LEAD_MAX_SEC * SEC);
    g_assert_cmpint(due.hold_usec, ==, BERTH_DUE_HOLD_MAX_SEC * SEC);
    berth_due_clear(&due);
}

static void test_names(void)
{
    g_autofree char *name = g_strnfill(1000, 'x');
    BerthDue due = {0};
    name[0] = '\n';
    name[1] = '\x1b';
    berth_due_set(&due, NOW / SEC + 100, 1, 1, name, NOW);
    g_assert_cmpuint(strlen(due.name), <=, BERTH_DUE_NAME_MAX);
    g_assert_true(g_str_has_prefix(due.name, "  x"));
    berth_due_clear(&due);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/due/wake", test_wake);
    g_test_add_func("/model/due/near", test_near);
    g_test_add_func("/model/due/nothing", test_nothing);
    g_test_add_func("/model/due/lies", test_lies);
    g_test_add_func("/model/due/names", test_names);
    return g_test_run();
}
