/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include "log.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NSEC_PER_SEC   1000000000ull
#define TOLERANCE_NSEC NSEC_PER_SEC
#define DELAY_NSEC     (NSEC_PER_SEC / 4)

static uint64_t now_nsec(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

uint64_t clock_boottime_usec(void)
{
    return now_nsec(CLOCK_BOOTTIME) / 1000;
}

static void step(uint64_t nsec)
{
    struct timespec time = {.tv_sec = (time_t)(nsec / NSEC_PER_SEC),
                            .tv_nsec = (long)(nsec % NSEC_PER_SEC)};
    if (clock_settime(CLOCK_REALTIME, &time) < 0)
        log_line("cannot set the clock: %s", strerror(errno));
}

void clock_set(uint64_t realtime_nsec)
{
    uint64_t now = now_nsec(CLOCK_REALTIME);
    if (realtime_nsec > now + DELAY_NSEC || now > realtime_nsec + DELAY_NSEC)
        step(realtime_nsec);
}

void clock_follow(uint64_t realtime_nsec, uint64_t age_usec)
{
    uint64_t now = now_nsec(CLOCK_REALTIME);
    uint64_t latest = realtime_nsec + age_usec * 1000;
    if (realtime_nsec == 0)
        return;
    if (now + TOLERANCE_NSEC < realtime_nsec || now > latest + TOLERANCE_NSEC)
        step(latest);
}
