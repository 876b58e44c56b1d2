/* SPDX-License-Identifier: MIT
 *
 * Crontabs, at's names of jobs and systemctl's answers of chance: a job found is due after now and
 * within the span, at a time that its fields name or right after a time that clocks leave out.
 */
#include "fuzz.h"
#include "timers/at_jobs.h"
#include "timers/cron_time.h"
#include "timers/crontab.h"
#include "timers/unit_timers.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_SEC (400 * 86400)

static const char *const zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
                                    "LHST-10:30LHDT-11,M10.1.0,M4.1.0",
                                    "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1"};

static bool is_never_idle(void *data, const char *command)
{
    g_assert_true(command[0] != '\0');
    return false;
}

static bool names(const CronTime *cron, const struct tm *at)
{
    bool in_month = (cron->days >> at->tm_mday & 1) != 0;
    bool in_week = (cron->weekdays >> at->tm_wday & 1) != 0;
    return at->tm_sec == 0 && (cron->minutes >> at->tm_min & 1) != 0 &&
           (cron->hours >> at->tm_hour & 1) != 0 && (cron->months >> (at->tm_mon + 1) & 1) != 0 &&
           (cron->either_day ? in_month || in_week : in_month && in_week);
}

/* Clocks leave out what is between the second before @at and @at. */
static bool follows_skip(time_t at)
{
    struct tm now, before;
    time_t last = at - 1;
    localtime_r(&at, &now);
    localtime_r(&last, &before);
    return now.tm_gmtoff > before.tm_gmtoff;
}

static void check_line(const char *line, time_t now)
{
    CronTime cron;
    struct tm found;
    if (!cron_time_parse(&line, &cron))
        return;
    g_assert_true(cron.minutes != 0 && cron.minutes >> 60 == 0);
    g_assert_true(cron.hours != 0 && cron.hours >> 24 == 0);
    g_assert_true(cron.days != 0 && (cron.days & 1) == 0);
    g_assert_true(cron.months != 0 && (cron.months & 1) == 0 && cron.months >> 13 == 0);
    g_assert_true(cron.weekdays != 0 && cron.weekdays >> 7 == 0);
    time_t at = cron_time_next(&cron, now, now + SPAN_SEC);
    if (at == -1)
        return;
    g_assert_true(at > now && at <= now + SPAN_SEC);
    localtime_r(&at, &found);
    g_assert_true(names(&cron, &found) || follows_skip(at));
}

static void check_timers(const char *text)
{
    UnitTimer timer = {0};
    Due due = {0};
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        unit_timers_line(&timer, lines[i], &due);
    g_assert_cmpint(due.sec, >=, 0);
    g_assert_true(memchr(due.name, '\0', sizeof(due.name)) != NULL);
    g_assert_cmpuint(due.hold_sec, <=, 180);
}

static void check_at_job(const char *name)
{
    uint32_t number;
    int64_t sec;
    if (!at_jobs_parse(name, &number, &sec))
        return;
    g_autofree char *again =
        g_strdup_printf("%c%05x%08" G_GINT64_MODIFIER "x", name[0], number, sec / 60);
    g_assert_cmpint(g_ascii_strcasecmp(again, name), ==, 0);
}

/* Random bytes are rarely a time: make one of them. */
static char *make_line(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"*",   "0", "59", "30", "2-4", "/",  "*/7", "mon",
                                        "sun", "7", "1",  "12", "31",  "29", "feb", "1-5",
                                        ",",   "-", "23", "10", "2",   "3"};
    GString *line = g_string_new(NULL);
    for (size_t i = 0; i < size && i < 12; i++)
        g_string_append_printf(line, "%s%s", words[data[i] % G_N_ELEMENTS(words)],
                               data[i] >= 200 ? "" : " ");
    return g_string_free(line, FALSE);
}

/* Nor a job's name. */
static char *make_at_job(const uint8_t *data, size_t size)
{
    GString *name = g_string_new("a");
    for (size_t i = 0; i < size && i < 13; i++)
        g_string_append_c(name, "0123456789abcdefABCDEF0g="[data[i] % 25]);
    return g_string_free(name, FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const CrontabStyle styles[] = {{false, false}, {true, true}};
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autofree char *line = make_line(data, size);
    g_autofree char *job = g_strconcat(line, " * * * * x y\n", text, NULL);
    g_autofree char *at_job = make_at_job(data, size);
    time_t now =
        1700000000 + (time_t)(size > 3 ? data[0] * 65536 + data[1] * 256 + data[2] : 0) * 5;

    setenv("TZ", zones[size % G_N_ELEMENTS(zones)], 1);
    tzset();
    check_line(text, now);
    check_line(line, now);
    for (gsize i = 0; i < G_N_ELEMENTS(styles); i++) {
        time_t at = crontab_next(job, &styles[i], is_never_idle, NULL, now, now + SPAN_SEC);
        g_assert_true(at == -1 || (at > now && at <= now + SPAN_SEC));
    }
    check_timers(text);
    check_at_job(text);
    check_at_job(at_job);
    unit_timers_span(text);
    unit_timers_timestamp(text);
    return 0;
}
