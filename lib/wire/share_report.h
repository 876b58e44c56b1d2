/* SPDX-License-Identifier: MIT
 *
 * share_report — what a berth-share writes into the pipe to its keeper: texts, each with its NUL.
 */
#pragma once

/* Before all others: a directory is not served. The line for the user follows. */
#define SHARE_REPORT_SKIPPED "skipped "

/* The guest's first request was read: the guest sees the end of this server. */
#define SHARE_REPORT_BEGUN "begun"

/* The guest has dropped what it had cached of a former server. */
#define SHARE_REPORT_READY "ready"
