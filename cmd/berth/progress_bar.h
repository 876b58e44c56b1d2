/* SPDX-License-Identifier: MIT
 *
 * progress_bar — a status line for long work: bytes, rate, time left. Drawn at most ten times a
 * second on standard error, and only on a terminal.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *what; /* borrowed */
    bool shown;
    gint64 started_usec; /* monotonic */
    gint64 last_usec;
} Progress;

void progress_begin(Progress *progress, const char *what);

/* @total 0: unknown. */
void progress_update(Progress *progress, guint64 done, guint64 total);

/* Erase the line so that other text can be printed; the next update redraws it. */
void progress_clear(const Progress *progress);

/* Erase the line for good. */
void progress_end(Progress *progress);
