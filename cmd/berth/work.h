/* SPDX-License-Identifier: MIT
 *
 * work — long work on a distro, as a command shows it: progress on the terminal, and an end in good
 * order when a signal asks for it.
 */
#pragma once

#include "progress_bar.h"

#include <glib.h>
#include <stdbool.h>

typedef struct {
    Progress progress;
} Work;

/* Begin work on @what (borrowed). From now on a signal that is to end us makes
 * work_goes_on return false (signals.h), and a write beyond the limit of file sizes fails with
 * EFBIG.
 */
void work_begin(Work *work, const char *what);

/* A BerthWorkFunc for a Work. */
bool work_goes_on(guint64 bytes_done, guint64 bytes_total, gpointer work);

void work_end(Work *work);
