/* SPDX-License-Identifier: MIT
 *
 * share_report — what a berth-share writes into the pipe to its keeper: texts, each with its NUL;
 * where it counts what the guest does; and what one that watches is to watch.
 */
#pragma once

#include <stdint.h>

/* Before all others: a directory is not served. The line for the user follows. */
#define SHARE_REPORT_SKIPPED "skipped "

/* The guest's first request was read: the guest sees the end of this server. */
#define SHARE_REPORT_BEGUN "begun"

/* The guest has dropped what it had cached of a former server. */
#define SHARE_REPORT_READY "ready"

/* Of one that watches: a file of its list was changed. */
#define SHARE_REPORT_CHANGED "changed"

/* In the memfd that the keeper gives it (share/ledger.h), a uint64_t of this host: how many of the
 * guest's requests have used the shares so far. It may begin anew. */
#define SHARE_REQUESTS_AT 32u

/* In the port's place, berth-share gets a file with a list, and its items behind it, if it is to
 * watch; all of this host. */
typedef struct {
    int64_t since_nsec; /* since the epoch: changes from then on count */
    uint64_t count;
} WireWatchList;

typedef struct {
    uint64_t node; /* the number that berth-share has given it */
    uint32_t mask; /* inotify's events */
    uint32_t zero;
} WireWatch;
