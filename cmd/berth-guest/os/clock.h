/* SPDX-License-Identifier: MIT
 *
 * clock — time since the machine came up, and setting the time of day.
 */
#pragma once

#include <stdint.h>

/* CLOCK_BOOTTIME, microseconds. */
uint64_t clock_boottime_usec(void);

/* Step the time of day to the host's, which is @realtime_nsec now, when it is off by more than what
 * a message may have been under way. */
void clock_set(uint64_t realtime_nsec);

/* Step the time of day to the host's when it is off by more than a second. The host said it was
 * @realtime_nsec at a moment at most @age_usec ago: a clock within that span is right. */
void clock_follow(uint64_t realtime_nsec, uint64_t age_usec);
