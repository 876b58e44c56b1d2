/* SPDX-License-Identifier: MIT */
#include "crontab.h"

#include "cron_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_MAX 64
#define BLANKS   " \t"

static bool is_zone(const char *zone)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/,.:<>";
    return zone[0] != '\0' && zone[0] != '/' && zone[0] != ':' && strstr(zone, "..") == NULL &&
           zone[strspn(zone, characters)] == '\0';
}

/* Set the process's zone; NULL: unset it. */
static void use_zone(const char *zone)
{
    if (zone != NULL)
        setenv("TZ", zone, 1);
    else
        unsetenv("TZ");
    tzset();
}

/* The value of the assignment @line without quotes and blanks around it. */
static void copy_value(const char *line, char *value, size_t size)
{
    const char *from = strchr(line, '=') + 1;
    from += strspn(from, BLANKS "\"'");
    size_t length = strlen(from);
    while (length > 0 && strchr(BLANKS "\"'", from[length - 1]) != NULL)
        length--;
    snprintf(value, size, "%.*s", (int)length, from);
}

/* A job's line begins with its time, which no letter and no quotation mark does. */
static bool is_assignment(const char *line)
{
    return strchr("0123456789*@?-", line[0]) == NULL && strchr(line, '=') != NULL;
}

static void use_assignment(const char *line, const CrontabStyle *style)
{
    static const char name[] = "CRON_TZ";
    char zone[ZONE_MAX];
    const char *after = line + strlen(name);
    if (!style->has_zones || strncmp(line, name, strlen(name)) != 0 ||
        after[strspn(after, BLANKS)] != '=')
        return;
    copy_value(line, zone, sizeof(zone));
    if (is_zone(zone))
        use_zone(zone);
}

/* The time of a job; -1: it has none, or does nothing. */
static time_t job_next(const char *line, const CrontabStyle *style,
                       bool (*is_idle)(void *data, const char *command), void *data, time_t after,
                       time_t until)
{
    CronTime when;
    if (!cron_time_parse(&line, &when))
        return -1;
    line += strspn(line, BLANKS);
    if (style->has_users) {
        line += strcspn(line, BLANKS);
        line += strspn(line, BLANKS);
    }
    if (line[0] == '\0' || is_idle(data, line))
        return -1;
    return cron_time_next(&when, after, until);
}

static time_t lines_next(char *text, const CrontabStyle *style,
                         bool (*is_idle)(void *data, const char *command), void *data, time_t after,
                         time_t until)
{
    time_t next = -1;
    const char *line;
    for (int jobs = 0; jobs < CRONTAB_JOBS_MAX && (line = strsep(&text, "\r\n")) != NULL;) {
        line += strspn(line, BLANKS);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (is_assignment(line)) {
            use_assignment(line, style);
            continue;
        }
        time_t at = job_next(line, style, is_idle, data, after, next < 0 ? until : next);
        if (at >= 0)
            next = at;
        jobs++;
    }
    return next;
}

time_t crontab_next(const char *text, const CrontabStyle *style,
                    bool (*is_idle)(void *data, const char *command), void *data, time_t after,
                    time_t until)
{
    const char *zone = getenv("TZ");
    char *former = zone != NULL ? strdup(zone) : NULL;
    char *copy = strdup(text);
    time_t next = copy != NULL && (zone == NULL || former != NULL)
                      ? lines_next(copy, style, is_idle, data, after, until)
                      : -1;
    use_zone(former);
    free(copy);
    free(former);
    return next;
}
