/* SPDX-License-Identifier: MIT
 *
 * progress_bar — one line on the terminal about long work: bytes, rate, time left. At most ten
 * times a second, on standard error, and only when that is a terminal.
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

/* @total 0: not known. */
void progress_update(Progress *progress, guint64 done, guint64 total);

/* Take the line away, for something else to be said; the next update draws it again. */
void progress_clear(const Progress *progress);

/* Clear the line. */
void progress_end(Progress *progress);
