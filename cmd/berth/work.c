/* SPDX-License-Identifier: MIT */
#include "work.h"

#include "signals.h"

void work_begin(Work *work, const char *what)
{
    stop_catch(NULL);
    progress_begin(&work->progress, what);
}

bool work_goes_on(guint64 bytes_done, guint64 bytes_total, gpointer user_data)
{
    Work *work = user_data;
    if (bytes_done != 0 || bytes_total != 0) /* otherwise the call only asks whether to continue */
        progress_update(&work->progress, bytes_done, bytes_total);
    return !stop_asked();
}

void work_end(Work *work)
{
    progress_end(&work->progress);
}
