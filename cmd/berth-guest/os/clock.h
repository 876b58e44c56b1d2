/* SPDX-License-Identifier: MIT
 *
 * clock — time since boot, and the time of day.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* CLOCK_BOOTTIME, microseconds. */
uint64_t clock_boottime_usec(void);

/* Whether @now, nanoseconds, is more than the tolerance from the host's time: that was
 * @realtime_nsec at most @age_usec ago. */
bool clock_is_off(uint64_t now, uint64_t realtime_nsec, uint64_t age_usec, uint64_t tolerance_nsec);

/* Step the time of day to @realtime_nsec, the host's time now, when they differ by more than the
 * possible delay of a message. */
void clock_set(uint64_t realtime_nsec);

/* Step the time of day when it is off by more than a second. @realtime_nsec was the host's time at
 * most @age_usec ago: a clock within that span is left alone. */
void clock_follow(uint64_t realtime_nsec, uint64_t age_usec);
