/* SPDX-License-Identifier: MIT
 *
 * at_jobs — the next job of at(1), if its daemon runs.
 *
 * A job is a file whose name says all that is needed: the queue, a letter; the job's number, five
 * digits; and the minute since 1970 at which it begins, eight digits, both hexadecimal. Other names
 * are no jobs: "=" in place of the queue is one that runs.
 *
 * atd sleeps by alarm(2), which stands still in a suspended machine: at_jobs_nudge has it look at
 * its jobs again, as at(1) does, by SIGHUP.
 */
#pragma once

#include "due.h"

#include <stdbool.h>
#include <stdint.h>

/* Parse the name of a job. False: it is none. */
bool at_jobs_parse(const char *name, uint32_t *ret_number, int64_t *ret_sec);

/* Fill in *@ret_due; with @sec 0 if nothing is due between @now and @until (seconds since 1970).
 * @root is a descriptor of the distro's root directory, with its /proc. Stops reading at @deadline
 * (usec of clock_boottime_usec). */
void at_jobs_next(int root, int64_t now, int64_t until, uint64_t deadline, Due *ret_due);

/* Wake atd of the distro at the path @root ("": "/"), if it runs. */
void at_jobs_nudge(const char *root);
