/* SPDX-License-Identifier: MIT
 *
 * share_report — what a berth-share writes into the pipe to its keeper: texts, each with its NUL;
 * and where it counts what the guest does.
 */
#pragma once

/* Before all others: a directory is not served. The line for the user follows. */
#define SHARE_REPORT_SKIPPED "skipped "

/* The guest's first request was read: the guest sees the end of this server. */
#define SHARE_REPORT_BEGUN "begun"

/* The guest has dropped what it had cached of a former server. */
#define SHARE_REPORT_READY "ready"

/* In the memfd that the keeper gives it (share/ledger.h), a uint64_t of this host: how many of the
 * guest's requests have used the shares so far. It may begin anew. */
#define SHARE_REQUESTS_AT 32u
