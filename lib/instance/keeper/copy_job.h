/* SPDX-License-Identifier: MIT
 *
 * copy_job — writes the memory of a guest that stands still into the parked file of another disk
 * (park/park_file.h), in a thread.
 *
 * A guest that is to go on soon has its memory captured first: copied to an unnamed file, at the
 * speed of memory, or compared with a copy that was made while the guest ran. What the job writes
 * then is that copy.
 *
 * The callbacks come from the thread-default GMainContext of the call, unless the job is freed
 * before.
 */
#pragma once

#include "park/mirror.h"
#include "park/park_file.h"

G_BEGIN_DECLS

typedef struct BerthCopyJob BerthCopyJob;

typedef struct {
    /* The memory is captured, and the guest may go on; not called without a capture. */
    void (*captured)(BerthCopyJob *job, gpointer user_data);
    /* The file is complete; or there is none because of @error, which is borrowed. May free the
     * job. */
    void (*done)(BerthCopyJob *job, const GError *error, gpointer user_data);
} BerthCopyJobEvents;

/* Write the file of the guest on @disk. Its memory is the file @memory, of which the job makes a
 * descriptor of its own; of @parked (moved) the state, with_memory and unsynced are set. The
 * identity in the file is that of @machine now, whose disk is another: it must be bound anew
 * (berth_park_bind). @mirror (taken, may be NULL) is a former copy of @memory, for a capture.
 * Errors: those of mirror.h, park_file.h and identity.h. */
BerthCopyJob *berth_copy_job_new(const BerthMachine *machine, const char *disk, int memory,
                                 BerthParked *parked, bool capture, BerthMirror *mirror,
                                 const BerthCopyJobEvents *events, gpointer user_data);

/* Cancel it, wait for the end of its thread, and free it. Accepts NULL. */
void berth_copy_job_free(BerthCopyJob *job);

G_END_DECLS
