/* SPDX-License-Identifier: MIT
 *
 * cron_time — when a line of a crontab is due.
 *
 * Times are seconds since 1970, fields are read in the process's time zone: after a change of TZ or
 * /etc/localtime, call tzset first. Where cron daemons differ, cron_time_next finds the times of
 * all of them: a wake too many does no harm.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Bit N of a member is the value N. */
typedef struct {
    uint64_t minutes;
    uint32_t hours;
    uint32_t days;     /* of the month, from 1 */
    uint32_t months;   /* from 1 */
    uint32_t weekdays; /* from Sunday, 0 */
    bool either_day;   /* one of days and weekdays is enough */
} CronTime;

/* Read five fields, or one word such as "@daily", from *@text and advance it to what follows them.
 * Steps, ranges, lists and names are understood. False: malformed, or not a time ("@reboot"). */
bool cron_time_parse(const char **text, CronTime *ret_time);

/* The first time after @after that @cron names; -1: none until @until. A time that daylight saving
 * skips is due when it begins; of one that comes twice each is found. */
time_t cron_time_next(const CronTime *cron, time_t after, time_t until);
