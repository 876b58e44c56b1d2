/* SPDX-License-Identifier: MIT
 *
 * checkpoint — takes the automatic snapshot of a running distro, for its keeper (berth-checkpoint).
 */
#pragma once

#include "handle.h"

#include "model/checkpoint.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_CHECKPOINT_TAKEN,
    BERTH_CHECKPOINT_EARLY, /* another snapshot is newer than the interval */
    BERTH_CHECKPOINT_BUSY,  /* another command works on the distro */
} BerthCheckpointOutcome;

typedef struct {
    BerthCheckpointOutcome outcome;
    char *tag;         /* of TAKEN; g_free */
    gint64 pause_usec; /* of TAKEN: so long the distro stood still */
    guint left_sec;    /* of EARLY */
} BerthCheckpointReport;

void berth_checkpoint_report_clear(BerthCheckpointReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthCheckpointReport, berth_checkpoint_report_clear)

/* Take a checkpoint of the distro @id as @plan has it, then remove the oldest that are too many.
 * Errors: those of berth_snapshots_take; BERTH_ERROR_NO_SPACE, "checkpoint.too-large" for a disk
 * that is larger than the plan allows, "checkpoint.no-space" for one whose copy would leave less
 * than a tenth of the file system, or 10 GiB, free; BERTH_ERROR_FAILED, "checkpoint.slow" for one
 * that would stop the distro for longer than BERTH_CHECKPOINT_PAUSE_USEC. */
bool berth_checkpoint_take(Berth *berth, const char *id, const BerthCheckpointPlan *plan,
                           BerthCheckpointReport *ret_report, GError **error);

G_END_DECLS
