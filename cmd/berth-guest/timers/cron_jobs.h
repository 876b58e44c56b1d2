/* SPDX-License-Identifier: MIT
 *
 * cron_jobs — the next job of cron's, if a cron daemon runs: from the system's crontabs and those
 * of the users, wherever Debian, Fedora, Alpine and busybox keep them.
 */
#pragma once

#include "due.h"

#include <stdbool.h>
#include <time.h>

/* Fill in *@ret_due; with @sec 0 if nothing is due until @until. @root is a descriptor of the
 * distro's root directory, with its /proc. Stops reading at @deadline (usec of
 * clock_boottime_usec). */
void cron_jobs_next(int root, time_t now, time_t until, uint64_t deadline, Due *ret_due);

/* How long before a job the daemon must be awake that sleeps since @now. It sleeps to the next full
 * minute, and what is left of that when the distro is suspended comes after the wake. Some do not
 * run what they then find to have missed. */
uint32_t cron_jobs_lead(time_t now);
