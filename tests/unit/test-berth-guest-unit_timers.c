/* SPDX-License-Identifier: MIT
 *
 * What systemctl says of timers, as systemd 252 and 257 print it.
 */
#include "timers/unit_timers.h"

#include <glib.h>

static Due read_lines(const char *const *lines)
{
    UnitTimer timer = {0};
    Due due = {0};
    for (gsize i = 0; lines[i] != NULL; i++)
        unit_timers_line(&timer, lines[i], &due);
    return due;
}

static void test_spans(void)
{
    static const struct {
        const char *text;
        guint64 sec;
    } rows[] = {
        {"0", 0},
        {"1min", 60},
        {"12h", 43200},
        {"1h 40min", 6000},
        {"5us", 0},
        {"1.5s", 1},
        {"1d 1h", 90000},
        {"2w", 1209600},
        {"100ms", 0},
        {"1month", 2629800},
        {"1y", 31557600},
        {"infinity", G_MAXUINT64},
        {"1parsec", G_MAXUINT64},
        {"99999999999999999999s", G_MAXUINT64},
        {"-1s", G_MAXUINT64},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (unit_timers_span(rows[i].text) != rows[i].sec)
            g_error("%s", rows[i].text);
}

static void test_timestamps(void)
{
    g_assert_cmpint(unit_timers_timestamp("Mon 2026-11-30 08:00:00 UTC"), ==, 1796025600);
    g_assert_cmpint(unit_timers_timestamp("Mon 2026-11-30 08:00:01.5 UTC"), ==, 0);
    static const char *const none[] = {"",
                                       "n/a",
                                       "0",
                                       "Mon 2026-11-30 08:00:00 CET",
                                       "Mon 2026-11-30 08:00:00",
                                       "Mon 1966-11-30 08:00:00 UTC",
                                       "2026-11-30 08:00:00 UTC"};
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_cmpint(unit_timers_timestamp(none[i]), ==, 0);
}

static void test_the_earliest(void)
{
    static const char *const lines[] = {"NextElapseUSecRealtime=Mon 2026-11-30 10:00:00 UTC",
                                        "AccuracyUSec=1min",
                                        "RandomizedDelayUSec=0",
                                        "WakeSystem=no",
                                        "Id=later.timer",
                                        "",
                                        "Id=backup.timer",
                                        "NextElapseUSecRealtime=Mon 2026-11-30 09:00:00 UTC",
                                        "AccuracyUSec=1s",
                                        "RandomizedDelayUSec=0",
                                        "WakeSystem=no",
                                        "",
                                        "NextElapseUSecRealtime=",
                                        "AccuracyUSec=1min",
                                        "Id=monotonic.timer",
                                        "",
                                        "NextElapseUSecRealtime=Mon 2026-11-30 08:30:00 UTC",
                                        "AccuracyUSec=1min",
                                        "",
                                        "Id=incomplete.timer",
                                        "NextElapseUSecRealtime=Mon 2026-11-30 08:00:00 UTC",
                                        NULL};
    Due due = read_lines(lines);
    g_assert_cmpstr(due.name, ==, "backup.timer");
    g_assert_cmpint(due.sec, ==, 1796025600 + 3600);
    g_assert_cmpuint(due.hold_sec, <, 10);
    g_assert_cmpuint(due.lead_sec, >, 0);
}

/* One timer at 08:00; the time at which it is waited for, or 0. */
static gint64 wait(const char *unit, const char *accuracy, const char *delay, const char *wakes)
{
    g_autofree char *id = g_strconcat("Id=", unit, NULL);
    g_autofree char *accurate = g_strconcat("AccuracyUSec=", accuracy, NULL);
    g_autofree char *random = g_strconcat("RandomizedDelayUSec=", delay, NULL);
    g_autofree char *wake = g_strconcat("WakeSystem=", wakes, NULL);
    const char *lines[] = {
        "NextElapseUSecRealtime=Mon 2026-11-30 08:00:00 UTC", accurate, random, wake, id, "", NULL};
    Due due = read_lines(lines);
    g_assert_cmpuint(due.hold_sec, <=, 65);
    return due.sec == 0 ? 0 : due.sec - 1796025600 + 1;
}

static void test_which_wake(void)
{
    g_assert_cmpint(wait("a.timer", "1min", "0", "no"), ==, 1);
    g_assert_cmpint(wait("a.timer", "1us", "30min", "no"), ==, 1);
    g_assert_cmpint(wait("a.timer", "10min", "0", "no"), ==, 9 * 60 + 1); /* at its end */
    g_assert_cmpint(wait("a.timer", "1h", "0", "no"), ==, 0);
    g_assert_cmpint(wait("a.timer", "1min", "12h", "no"), ==, 0);
    g_assert_cmpint(wait("a.timer", "30min", "30min", "no"), ==, 0);
    g_assert_cmpint(wait("a.timer", "infinity", "0", "no"), ==, 0);
    g_assert_cmpint(wait("a.timer", "1min", "12h", "yes"), ==, 1);
    g_assert_cmpint(wait("dpkg-db-backup.timer", "1min", "0", "no"), ==, 0);
    g_assert_cmpint(wait("dpkg-db-backup.timer", "1min", "0", "yes"), ==, 1);
    g_assert_cmpint(wait("e2scrub_all.timer", "1min", "1min", "no"), ==, 0);
}

static void test_long_names(void)
{
    g_autofree char *name = g_strnfill(400, 'x');
    g_assert_cmpint(wait(name, "1min", "0", "no"), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/unit_timers/spans", test_spans);
    g_test_add_func("/berth-guest/unit_timers/timestamps", test_timestamps);
    g_test_add_func("/berth-guest/unit_timers/the-earliest", test_the_earliest);
    g_test_add_func("/berth-guest/unit_timers/which-wake", test_which_wake);
    g_test_add_func("/berth-guest/unit_timers/long-names", test_long_names);
    return g_test_run();
}
