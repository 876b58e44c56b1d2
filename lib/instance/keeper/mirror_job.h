/* SPDX-License-Identifier: MIT
 *
 * mirror_job — makes a copy of a guest's memory (park/mirror.h), in a thread.
 *
 * The callback comes from the thread-default GMainContext of the call, unless the job is freed
 * before.
 */
#pragma once

#include "park/mirror.h"

G_BEGIN_DECLS

typedef struct BerthMirrorJob BerthMirrorJob;

/* There is a copy; or there is none because of @error, which is borrowed. May free the job. */
typedef void (*BerthMirrorJobFunc)(BerthMirrorJob *job, const GError *error, gpointer user_data);

/* Copy the file @memory while the guest runs: as near to it as passes bring the copy. Errors: those
 * of mirror.h. */
BerthMirrorJob *berth_mirror_job_new(int memory, BerthMirrorJobFunc done, gpointer user_data);

/* Copy the file @memory of a guest that stands still, or make @mirror (taken, may be NULL), a
 * former copy of it, equal to it. */
BerthMirrorJob *berth_mirror_job_finish(int memory, BerthMirror *mirror, BerthMirrorJobFunc done,
                                        gpointer user_data);

/* Whether the callback was called. */
bool berth_mirror_job_is_finished(const BerthMirrorJob *job);

/* The copy; the caller's. NULL before the callback, or if it failed. */
BerthMirror *berth_mirror_job_steal(BerthMirrorJob *job);

/* Cancel it, wait for the end of its thread, and free it. Accepts NULL. */
void berth_mirror_job_free(BerthMirrorJob *job);

G_END_DECLS
