/* SPDX-License-Identifier: MIT
 *
 * copy_job — writes the memory of a guest that stands still into the parked file of another disk
 * (park/park_file.h), in a thread.
 *
 * The callback comes from the thread-default GMainContext of the call, unless the job is freed
 * before.
 */
#pragma once

#include "park/park_file.h"

G_BEGIN_DECLS

typedef struct BerthCopyJob BerthCopyJob;

/* The file is complete; or there is none because of @error, which is borrowed. May free the job. */
typedef void (*BerthCopyJobFunc)(BerthCopyJob *job, const GError *error, gpointer user_data);

/* Write the file of the guest on @disk. Its memory is the file @memory, of which the job makes a
 * descriptor of its own, and which nothing may write meanwhile; of @parked (moved) the state,
 * with_memory and unsynced are set. The identity in the file is that of @machine now, whose disk is
 * another: it must be bound anew (berth_park_bind). Errors: those of park_file.h and identity.h. */
BerthCopyJob *berth_copy_job_new(const BerthMachine *machine, const char *disk, int memory,
                                 BerthParked *parked, BerthCopyJobFunc done, gpointer user_data);

/* Cancel it, wait for the end of its thread, and free it. Accepts NULL. */
void berth_copy_job_free(BerthCopyJob *job);

G_END_DECLS
