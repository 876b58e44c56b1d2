/* SPDX-License-Identifier: MIT
 *
 * settle — the barrier of a share: an extended attribute that a program in the guest reads.
 *
 * berth-share answers getxattr of any of its directories once the guest has handled every change
 * that the host made before the request: its caches are invalidated, and its watchers have the
 * events (wire/replay.h). The kernel never caches the value. EAGAIN: ask again.
 */
#pragma once

#include <stdint.h>

#define WIRE_SETTLE_ATTRIBUTE "user.berth.settled"

/* While both fields stay the same, no event is missing. */
typedef struct {
    uint64_t server; /* differs for each berth-share */
    uint64_t lost;   /* how often it may have lost events, or could not watch a directory */
} WireSettle;
