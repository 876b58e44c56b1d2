/* SPDX-License-Identifier: MIT
 *
 * snapshot_text — what the commands about snapshots have in common.
 */
#pragma once

#include "berth_snapshot.h"
#include "command.h"
#include "work.h"

/* Functions for long work on snapshots: progress, and the cost of a copy as a notice, on a terminal
 * only; and with the memory, unless the option --disk is given. */
BerthSnapshotFuncs snapshot_funcs(Work *work, const Invocation *invocation);

/* "2026-11-30 01:15:30", local time. Free with g_free. */
char *snapshot_time(gint64 usec);

/* Restore the snapshot @tag of @name (NULL: the last), and print what it was and how to go back.
 * The command's exit status. */

int snapshot_restore(const Invocation *invocation, const char *name, const char *tag,
                     GError **error);
