/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <time.h>

gint64 berth_clock_boottime(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}
