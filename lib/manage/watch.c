/* SPDX-License-Identifier: MIT */
#include "watch.h"

bool berth_watch_tell(const BerthProgress *progress, gpointer watch)
{
    const BerthWatch *caller = watch;
    return caller->tell == NULL ||
           caller->tell(progress->bytes_done, progress->bytes_total, caller->user_data);
}
