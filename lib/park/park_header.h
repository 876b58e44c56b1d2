/* SPDX-License-Identifier: MIT
 *
 * park_header — the first page of a parked memory's file, as a value and as bytes.
 *
 * The rest of the file follows it: data, state, life, runs, each of the size that it names. Numbers
 * are little-endian. Its own checksum is its last 8 bytes.
 */
#pragma once

#include "identity.h"

G_BEGIN_DECLS

#define BERTH_PARK_HEADER_SIZE 4096u
#define BERTH_PARK_RUN_SIZE    24u /* bytes of an entry of the runs: offset, length and checksum */
#define BERTH_PARK_PAGE_SIZE   4096u

#define BERTH_PARK_WITH_MEMORY 1u /* flags */
#define BERTH_PARK_WITH_SIZE   2u /* of the machine */
#define BERTH_PARK_ELSEWHERE   4u

typedef struct {
    guint64 memory_size, state_size, life_size, runs, data_size; /* bytes; runs is a count */
    guint64 body_sum;                                            /* of state, life and runs */
    BerthMachineSize machine;
    BerthParkIdentity identity;
    guint32 flags;
} BerthParkHeader;

typedef enum {
    BERTH_PARK_HEADER_GOOD,
    BERTH_PARK_HEADER_DAMAGED,
    BERTH_PARK_HEADER_OTHER_VERSION,
} BerthParkHeaderResult;

void berth_park_header_put(const BerthParkHeader *header, guint8 bytes[BERTH_PARK_HEADER_SIZE]);

/* @file_size is that of the whole file, in which all that the header names has its place. Only if
 * GOOD is *@ret_header set. */
BerthParkHeaderResult berth_park_header_get(const guint8 bytes[BERTH_PARK_HEADER_SIZE],
                                            guint64 file_size, BerthParkHeader *ret_header);

G_END_DECLS
