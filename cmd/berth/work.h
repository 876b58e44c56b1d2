/* SPDX-License-Identifier: MIT
 *
 * work — runs long work on a distro for a command: shows progress, and stops cleanly on a signal.
 */
#pragma once

#include "progress_bar.h"

#include <glib.h>
#include <stdbool.h>

typedef struct {
    Progress progress;
} Work;

/* Begin work on @what (borrowed). From now on a fatal signal makes work_goes_on return false
 * (signals.h), and a write beyond RLIMIT_FSIZE fails with EFBIG. */
void work_begin(Work *work, const char *what);

/* A BerthWorkFunc for a Work. */
bool work_goes_on(guint64 bytes_done, guint64 bytes_total, gpointer work);

void work_end(Work *work);
