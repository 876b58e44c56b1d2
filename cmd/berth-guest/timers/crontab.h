/* SPDX-License-Identifier: MIT
 *
 * crontab — the next job of a crontab, from its text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* As cronie and Vixie's cron: lines beyond it are not looked at. */
#define CRONTAB_JOBS_MAX 1000

typedef struct {
    bool has_users; /* a word after the time is the user: /etc/crontab and cron.d */
    bool has_zones; /* CRON_TZ is the zone of the lines after it: cronie */
} CrontabStyle;

/* The first time after @after at which a job of @text is due that does something; -1: none until
 * @until. @is_idle tells whether a command would do nothing. Changes the process's time zone while
 * it reads lines with another. */
time_t crontab_next(const char *text, const CrontabStyle *style,
                    bool (*is_idle)(void *data, const char *command), void *data, time_t after,
                    time_t until);
