/* SPDX-License-Identifier: MIT
 *
 * When cron's jobs are due: by tables, and against a search minute by minute.
 */
#include "timers/cron_time.h"

#include <glib.h>
#include <stdlib.h>

#define DAY    86400
#define UNTIL  (400 * DAY)
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

/* "2026-11-30 08:00" in the present zone. */
static time_t at(const char *text)
{
    struct tm when = {.tm_isdst = -1};
    g_assert_nonnull(strptime(text, "%Y-%m-%d %H:%M", &when));
    return mktime(&when);
}

static char *show(time_t time)
{
    struct tm local;
    char text[64];
    if (time == -1)
        return g_strdup("never");
    localtime_r(&time, &local);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M %Z", &local);
    return g_strdup(text);
}

static CronTime parse(const char *text)
{
    CronTime cron;
    if (!cron_time_parse(&text, &cron))
        g_error("cannot parse \"%s\"", text);
    return cron;
}

/* Monday, 2026-11-30 08:00 UTC. */
static void test_next(void)
{
    static const struct {
        const char *line;
        const char *next;
    } rows[] = {
        {"* * * * *", "2026-11-30 08:01 UTC"},
        {"0 3 * * *", "2026-12-01 03:00 UTC"},
        {"0 8 * * *", "2026-12-01 08:00 UTC"}, /* now is not after now */
        {"15,45 8-9 * * *", "2026-11-30 08:15 UTC"},
        {"*/20 * * * *", "2026-11-30 08:20 UTC"},
        {"5/20 * * * *", "2026-11-30 08:05 UTC"},
        {"10-50/15 * * * *", "2026-11-30 08:10 UTC"},
        {"0 22-4 * * *", "2026-11-30 22:00 UTC"},
        {"0 0 1 * *", "2026-12-01 00:00 UTC"},
        {"0 0 31 * *", "2026-12-31 00:00 UTC"},
        {"0 0 31 feb,apr *", "never"},
        {"0 0 29 2 *", "never"}, /* of 2028, beyond the span */
        {"0 0 * * sun", "2026-12-06 00:00 UTC"},
        {"0 0 * * 7", "2026-12-06 00:00 UTC"},
        {"0 0 * * 5-7", "2026-12-04 00:00 UTC"},
        {"0 0 * * MON", "2026-12-07 00:00 UTC"},
        {"0 9 * * Monday", "2026-11-30 09:00 UTC"},
        {"0 0 13 * fri", "2026-12-04 00:00 UTC"}, /* either */
        {"0 0 * jan mon", "2027-01-04 00:00 UTC"},
        {"0 0 1-31 * mon", "2026-12-01 00:00 UTC"}, /* either, as Vixie's reads it */
        {"0 0 */2 * wed", "2026-12-01 00:00 UTC"},  /* either, as busybox reads it */
        {"0 0 * * *", "2026-12-01 00:00 UTC"},
        {"0 0 ? 12 ?", "2026-12-01 00:00 UTC"},
        {"0~30 10 * * *", "2026-11-30 10:00 UTC"},
        {"-0 10 * * *", "2026-11-30 10:00 UTC"},
        {"\t 0\t 10  * * * command", "2026-11-30 10:00 UTC"},
        {"@hourly", "2026-11-30 09:00 UTC"},
        {"@daily x", "2026-12-01 00:00 UTC"},
        {"@midnight", "2026-12-01 00:00 UTC"},
        {"@weekly", "2026-12-06 00:00 UTC"},
        {"@monthly", "2026-12-01 00:00 UTC"},
        {"@yearly", "2027-01-01 00:00 UTC"},
        {"@annually", "2027-01-01 00:00 UTC"},
    };
    use_zone("UTC0");
    time_t now = at("2026-11-30 08:00");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        CronTime cron = parse(rows[i].line);
        g_autofree char *next = show(cron_time_next(&cron, now, now + UNTIL));
        if (g_strcmp0(next, rows[i].next) != 0)
            g_error("%s: %s instead of %s", rows[i].line, next, rows[i].next);
    }
}

static void test_what_follows(void)
{
    const char *line = "  */5 * * * 1-5   /bin/true x";
    CronTime cron;
    g_assert_true(cron_time_parse(&line, &cron));
    g_assert_cmpstr(line, ==, "   /bin/true x");
    line = "@daily\t/bin/true";
    g_assert_true(cron_time_parse(&line, &cron));
    g_assert_cmpstr(line, ==, "\t/bin/true");
}

static void test_malformed(void)
{
    static const char *const lines[] = {
        "",
        "*",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "*/0 * * * *",
        "1- * * * *",
        "-1-2 * * *",
        "1,, * * * *",
        "1,2, * * * *",
        "a * * * *",
        "* * * foo *",
        "*x * * * *",
        "@reboot x",
        "@",
        "@dailyx",
        "99999999999999999999 * * * *",
        "*/99999999999 * * * *",
        "1/ * * * *",
        "* * * * mo",
        "/5 * * * *",
    };
    CronTime cron;
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        const char *line = lines[i];
        if (cron_time_parse(&line, &cron))
            g_error("\"%s\" is taken for a time", lines[i]);
    }
}

/* In Berlin clocks go from 02:00 to 03:00 on 2027-03-28, and from 03:00 to 02:00 on 2027-10-31. */
static void test_summer_time(void)
{
    static const struct {
        const char *line;
        const char *now;
        const char *next;
    } rows[] = {
        {"30 2 * * *", "2027-03-27 12:00", "2027-03-28 03:00 CEST"}, /* left out: at once */
        {"30 2 * * *", "2027-03-28 03:00", "2027-03-29 02:30 CEST"},
        {"30 3 * * *", "2027-03-27 12:00", "2027-03-28 03:30 CEST"},
        {"30 2 * * *", "2027-10-30 12:00", "2027-10-31 02:30 CEST"}, /* and then once more */
        {"0 3 * * *", "2027-10-30 12:00", "2027-10-31 03:00 CET"},
        {"0 12 * * *", "2027-03-27 12:00", "2027-03-28 12:00 CEST"},
    };
    use_zone(BERLIN);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        CronTime cron = parse(rows[i].line);
        time_t now = at(rows[i].now);
        g_autofree char *next = show(cron_time_next(&cron, now, now + UNTIL));
        if (g_strcmp0(next, rows[i].next) != 0)
            g_error("%s at %s: %s instead of %s", rows[i].line, rows[i].now, next, rows[i].next);
    }
    CronTime twice = parse("30 2 * * *");
    time_t first = at("2027-10-31 01:00") + 5400;
    time_t second = cron_time_next(&twice, first, first + DAY);
    g_assert_cmpint(second - first, ==, 3600);
    g_assert_cmpint(cron_time_next(&twice, second, second + 2 * DAY) - second, ==, DAY);
}

static void test_span(void)
{
    use_zone("UTC0");
    CronTime cron = parse("0 3 * * *");
    time_t now = at("2026-11-30 08:00"), due = at("2026-12-01 03:00");
    g_assert_cmpint(cron_time_next(&cron, now, due), ==, due);
    g_assert_cmpint(cron_time_next(&cron, now, due - 1), ==, -1);
    g_assert_cmpint(cron_time_next(&cron, due - 1, due), ==, due);
    g_assert_cmpint(cron_time_next(&cron, due, due + DAY - 1), ==, -1);
}

/* --- against a search ------------------------------------------------------------------------- */

static bool names(const CronTime *cron, time_t time)
{
    struct tm local;
    localtime_r(&time, &local);
    bool in_month = (cron->days >> local.tm_mday & 1) != 0;
    bool in_week = (cron->weekdays >> local.tm_wday & 1) != 0;
    return (cron->minutes >> local.tm_min & 1) != 0 && (cron->hours >> local.tm_hour & 1) != 0 &&
           (cron->months >> (local.tm_mon + 1) & 1) != 0 &&
           (cron->either_day ? in_month || in_week : in_month && in_week);
}

static void append_field(GString *line, guint min, guint max)
{
    guint first = (guint)g_random_int_range((gint)min, (gint)max + 1);
    switch (g_random_int_range(0, 4)) {
    case 0:
        g_string_append(line, "* ");
        break;
    case 1:
        g_string_append_printf(line, "*/%d ", g_random_int_range(1, 20));
        break;
    case 2:
        g_string_append_printf(line, "%u-%d ", first,
                               g_random_int_range((gint)first, (gint)max + 1));
        break;
    default:
        g_string_append_printf(line, "%u ", first);
    }
}

/* Times that clocks leave out have a test of their own: hours from 4 on. */
static void test_against_a_search(void)
{
    static const char *const zones[] = {"UTC0", BERLIN, "LHST-10:30LHDT-11,M10.1.0,M4.1.0",
                                        "NST3:30NDT,M3.2.0,M11.1.0"};
    for (int i = 0; i < 200; i++) {
        g_autoptr(GString) line = g_string_new(NULL);
        append_field(line, 0, 59);
        append_field(line, 4, 23);
        append_field(line, 1, 31);
        append_field(line, 1, 12);
        append_field(line, 0, 7);
        use_zone(zones[i % G_N_ELEMENTS(zones)]);
        CronTime cron = parse(line->str);
        cron.hours &= ~0xfu;
        time_t now = 1700000000 + g_random_int_range(0, 400 * DAY);
        time_t until = now + 20 * DAY, expected = now - now % 60 + 60;
        while (expected <= until && !names(&cron, expected))
            expected += 60;
        time_t found = cron_time_next(&cron, now, until);
        if (found != (expected <= until ? expected : -1))
            g_error("%s in %s at %ld: %ld instead of %ld", line->str, getenv("TZ"), (long)now,
                    (long)found, (long)expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/cron_time/next", test_next);
    g_test_add_func("/berth-guest/cron_time/what-follows", test_what_follows);
    g_test_add_func("/berth-guest/cron_time/malformed", test_malformed);
    g_test_add_func("/berth-guest/cron_time/summer-time", test_summer_time);
    g_test_add_func("/berth-guest/cron_time/span", test_span);
    g_test_add_func("/berth-guest/cron_time/against-a-search", test_against_a_search);
    return g_test_run();
}
