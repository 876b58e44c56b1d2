/* SPDX-License-Identifier: MIT
 *
 * checkpoint — automatic snapshots: the setting that asks for them, when the next one is due, and
 * which ones are removed for it. Pure functions; they read no clock and do no I/O.
 *
 *     checkpoint = every 30min keep 5 within 20G
 *
 * The setting is one line, so that a distro replaces all of it or nothing: "every" and a time with
 * its unit; then "keep" and a number, or BERTH_CHECKPOINT_KEEP; then "within" and a size, or any.
 * The size is part of the line because a number alone bounds no disk space. "off" and "": none.
 *
 * A snapshot of a running distro stops it: for a moment where the host's file system can share
 * blocks, for the whole copy elsewhere. So the time between two checkpoints is at least
 * BERTH_CHECKPOINT_PAUSE_RATIO times what the last one stopped it, whatever the setting says, and
 * one that would stop it longer than BERTH_CHECKPOINT_PAUSE_USEC is given up.
 */
#pragma once

#include "snapshot.h"

G_BEGIN_DECLS

#define BERTH_CHECKPOINT_KEEP        5u
#define BERTH_CHECKPOINT_KEEP_MAX    1000u
#define BERTH_CHECKPOINT_EVERY_MAX   (366u * 24 * 3600)
#define BERTH_CHECKPOINT_WITHIN_MIN  (G_GUINT64_CONSTANT(1) << 20)
#define BERTH_CHECKPOINT_PAUSE_USEC  (2 * G_USEC_PER_SEC)
#define BERTH_CHECKPOINT_PAUSE_RATIO 100

/* The longest time until another attempt after failures. */
#define BERTH_CHECKPOINT_RETRY_MAX_SEC (24 * 3600u)

/* Another command works on the distro: its next attempt. */
#define BERTH_CHECKPOINT_BUSY_SEC 60u

typedef struct {
    guint32 every_sec; /* 0: none */
    guint keep;
    guint64 within; /* bytes on the host; 0: any */
} BerthCheckpointPlan;

/* Parse the setting; NULL is "". Errors: BERTH_ERROR_INVALID, "checkpoint.syntax". */
bool berth_checkpoint_parse(const char *text, BerthCheckpointPlan *ret_plan, GError **error);

/* When the next one is due. All times are microseconds of one monotonic clock. */
typedef struct {
    BerthCheckpointPlan plan;
    bool is_used;     /* since the last one */
    gint64 next_usec; /* none before */
    guint failures;   /* in a row */
} BerthCheckpoint;

/* The distro did something. */
void berth_checkpoint_use(BerthCheckpoint *checkpoint);

bool berth_checkpoint_is_due(const BerthCheckpoint *checkpoint, gint64 now_usec);

/* What became of it: begin, which forgets the use; one was taken, and the distro stood still for
 * @pause_usec; another snapshot is so new that this one has @sec left; it failed, and is tried
 * again after the interval, then two, four, up to BERTH_CHECKPOINT_RETRY_MAX_SEC or the interval.
 * All but the second remember the use. */
void berth_checkpoint_begin(BerthCheckpoint *checkpoint);
void berth_checkpoint_taken(BerthCheckpoint *checkpoint, gint64 pause_usec, gint64 now_usec);
void berth_checkpoint_early(BerthCheckpoint *checkpoint, guint sec, gint64 now_usec);
void berth_checkpoint_fail(BerthCheckpoint *checkpoint, gint64 now_usec);

/* Microseconds until a checkpoint may follow the newest of @snapshots (BerthSnapshot *) but what a
 * restore made, at the time of day @now_usec; 0: now. One from the future does not count. */
gint64 berth_checkpoint_left(const BerthCheckpointPlan *plan, const GPtrArray *snapshots,
                             gint64 now_usec);

/* The tags of the checkpoints of @snapshots, oldest first, that must go so that @plan holds.
 * @sizes (guint64) has the bytes of each of @snapshots on the host. The newest never goes, nor
 * does what the user or a restore made. The strings are borrowed; free with g_ptr_array_unref. */
GPtrArray *berth_checkpoint_excess(const BerthCheckpointPlan *plan, const GPtrArray *snapshots,
                                   const GArray *sizes);

G_END_DECLS
