/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include "at_jobs.h"
#include "cron_jobs.h"
#include "unit_timers.h"

#include "os/clock.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_USEC 3000000u
#define DAY_SEC    86400

bool plan_next(const char *root, Due *ret_due)
{
    uint64_t deadline = clock_boottime_usec() + LIMIT_USEC;
    time_t now = time(NULL);
    const time_t until = now + (time_t)PLAN_DAYS * DAY_SEC;
    Due cron = {0}, at = {0};
    *ret_due = (Due){0};
    bool answered = unit_timers_next(root, deadline, ret_due);
    int directory = open(root[0] != '\0' ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        cron_jobs_next(directory, now, until, deadline, &cron);
        at_jobs_next(directory, now, until, deadline, &at);
        close(directory);
    }
    due_take_earlier(ret_due, &cron);
    due_take_earlier(ret_due, &at);
    return answered;
}
