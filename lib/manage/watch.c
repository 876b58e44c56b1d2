/* SPDX-License-Identifier: MIT */
#include "watch.h"

bool berth_watch_progress(const BerthProgress *progress, gpointer watch)
{
    const BerthWatch *caller = watch;
    return caller->progress == NULL ||
           caller->progress(progress->bytes_done, progress->bytes_total, caller->user_data);
}
