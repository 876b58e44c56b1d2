/* SPDX-License-Identifier: MIT
 *
 * park_job — parks a suspended guest (park/park_file.h), or loads a parked one, in a thread, since
 * both take as long as the host's disk needs. And copies a memory that is sealed.
 *
 * The callback comes once, from the thread-default GMainContext of the call, unless the job is
 * freed before.
 */
#pragma once

#include "park/park_file.h"

G_BEGIN_DECLS

typedef struct BerthParkJob BerthParkJob;

/* @error is borrowed; NULL on success. May free the job. */
typedef void (*BerthParkJobFunc)(BerthParkJob *job, const GError *error, gpointer user_data);

/* Park the guest of @machine, whose memory is the file @memory, both copied; of @parked (moved) the
 * state, the life and with_memory are set. Errors: those of park_file.h and identity.h. */
BerthParkJob *berth_park_job_save(const BerthMachine *machine, int memory, BerthParked *parked,
                                  BerthParkJobFunc done, gpointer user_data);
/* Check that the parked guest of @machine fits, and load its memory into the empty file @memory;
 * or check that @memory, which is sealed, is the one that was to be shared with it. Errors: also
 * BERTH_ERROR_INVALID, "park.changed". */
BerthParkJob *berth_park_job_load(const BerthMachine *machine, int memory, BerthParkJobFunc done,
                                  gpointer user_data);

/* Copy the memory @from, of a guest that is suspended, into the empty file @memory. */
BerthParkJob *berth_park_job_copy(const BerthMachine *machine, int from, int memory,
                                  BerthParkJobFunc done, gpointer user_data);

/* Park no more: true, no file appears; false, it is too late, and the file is complete soon. */
bool berth_park_job_cancel(BerthParkJob *job);

/* Of a job that is done: what was loaded, and the size of the file in bytes. */
const BerthParked *berth_park_job_parked(const BerthParkJob *job);
guint64 berth_park_job_size(const BerthParkJob *job);

/* Cancel it and wait for its end. Accepts NULL. */
void berth_park_job_free(BerthParkJob *job);

G_END_DECLS
