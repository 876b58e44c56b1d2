/* SPDX-License-Identifier: MIT
 *
 * unit_timers — the next timer of systemd's that is worth a wake.
 *
 * Only OnCalendar= counts. Times since the boot or since a unit ran are of the monotonic clock,
 * which stands still in a suspended machine (systemd.timer(5)): no wake brings them nearer. A timer
 * that may be late by an hour, and a distro's own upkeep, does not count either: what was due
 * meanwhile runs at the next wake; but WakeSystem= asks for one.
 */
#pragma once

#include "due.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads what systemctl show says about timers, line by line. Zero-initialise. */
typedef struct {
    char unit[DUE_NAME_SIZE]; /* of the properties so far */
    int64_t elapse_sec;       /* 0: not known */
    uint64_t accuracy_sec;
    uint64_t random_sec;
    bool wakes;
} UnitTimer;

/* Take one more @line, without newline; an empty one, as at the end, completes a unit, whose *@due
 * is then replaced if it is earlier. */
void unit_timers_line(UnitTimer *timer, const char *line, Due *due);

/* Seconds of a span as systemd prints it, "1h 40min", rounded down; UINT64_MAX: it is none. */
uint64_t unit_timers_span(const char *text);

/* "Mon 2026-11-30 22:18:37 UTC" as seconds since 1970; 0: it is no such time. */
int64_t unit_timers_timestamp(const char *text);

/* Ask the managers of @root, a path without a final slash, the system's and those of users who are
 * logged in. Stops at @deadline (usec of clock_boottime_usec): false, a manager did not answer. */
bool unit_timers_next(const char *root, uint64_t deadline, Due *due);
