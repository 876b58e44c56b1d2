/* SPDX-License-Identifier: MIT
 *
 * checkpoint_job — runs berth-checkpoint, which takes one automatic snapshot of the distro.
 *
 * The callback comes once, from the thread-default GMainContext of the call, unless the job is
 * freed before.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

typedef struct BerthCheckpointJob BerthCheckpointJob;

typedef enum {
    BERTH_CHECKPOINT_JOB_FAILED,
    BERTH_CHECKPOINT_JOB_TAKEN,
    BERTH_CHECKPOINT_JOB_EARLY,
    BERTH_CHECKPOINT_JOB_BUSY,
} BerthCheckpointJobKind;

/* The line that berth-checkpoint prints: cmd/berth-checkpoint/main.c. */
typedef struct {
    BerthCheckpointJobKind kind;
    char *text;     /* of TAKEN the tag, of FAILED the reason; else NULL */
    guint64 number; /* of TAKEN microseconds, of EARLY seconds */
} BerthCheckpointResult;

/* Parse @line; anything unknown is FAILED. */
BerthCheckpointResult berth_checkpoint_result_parse(const char *line);
void berth_checkpoint_result_clear(BerthCheckpointResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthCheckpointResult, berth_checkpoint_result_clear)

/* @result is borrowed. May free the job. */
typedef void (*BerthCheckpointJobFunc)(const BerthCheckpointResult *result, gpointer user_data);

/* Start @program for @machine, whose checkpoint and data are set. Errors: GLib's of the spawn. */
BerthCheckpointJob *berth_checkpoint_job_start(const char *program, const BerthMachine *machine,
                                               BerthCheckpointJobFunc done, gpointer user_data,
                                               GError **error);

/* End the program, if it runs, and wait for its end, after which it claims the distro no more. NULL
 * is allowed. */
void berth_checkpoint_job_free(BerthCheckpointJob *job);

G_END_DECLS
