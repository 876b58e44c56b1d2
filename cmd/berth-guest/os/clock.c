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

bool clock_is_off(uint64_t now, uint64_t realtime_nsec, uint64_t age_usec, uint64_t tolerance_nsec)
{
    uint64_t latest = realtime_nsec + age_usec * 1000;
    return now + tolerance_nsec < realtime_nsec || now > latest + tolerance_nsec;
}

void clock_set(uint64_t realtime_nsec)
{
    if (clock_is_off(now_nsec(CLOCK_REALTIME), realtime_nsec, 0, DELAY_NSEC))
        step(realtime_nsec);
}

void clock_follow(uint64_t realtime_nsec, uint64_t age_usec)
{
    uint64_t now = now_nsec(CLOCK_REALTIME);
    if (realtime_nsec != 0 && clock_is_off(now, realtime_nsec, age_usec, TOLERANCE_NSEC))
        step(realtime_nsec + age_usec * 1000);
}
