/* SPDX-License-Identifier: MIT */
#include "copy_job.h"

#include "base/fd.h"
#include "instance/host/host_memory.h"
#include "worker.h"

#include <fcntl.h>

struct BerthCopyJob {
    /* Of the thread until it ends. */
    BerthMachine *machine;
    char *disk;
    int memory;
    bool captures;
    BerthMirror *mirror; /* NULL: capture makes it */
    BerthParked parked;
    GError *error;

    gint progress; /* BerthParkProgress, of both threads */
    BerthWorker *worker;
    const BerthCopyJobEvents *events;
    gpointer user_data;
};

/* --- the thread's ------------------------------------------------------------------------------
 */

/* The copy takes the place of the memory, which the guest may change from then on. */
static bool capture(BerthCopyJob *job, BerthWorker *worker)
{
    guint64 changed;
    if (job->mirror == NULL)
        job->mirror =
            berth_mirror_new(job->memory, berth_host_memory_available(BERTH_MEMINFO), &job->error);
    if (job->mirror == NULL ||
        !berth_mirror_pass(job->mirror, &job->progress, &changed, &job->error))
        return false;
    berth_fd_close(&job->memory);
    job->memory = fcntl(berth_mirror_copy(job->mirror), F_DUPFD_CLOEXEC, 0);
    berth_worker_midway(worker);
    g_clear_pointer(&job->mirror, berth_mirror_free);
    return true;
}

static void run(BerthWorker *worker, gpointer data)
{
    BerthCopyJob *job = data;
    guint64 size;
    bool with_file = job->captures && !job->parked.with_memory; /* else it is part of the state */
    if (job->captures && !with_file)
        berth_worker_midway(worker);
    if ((!with_file || capture(job, worker)) &&
        berth_park_identity_read(job->machine, &job->parked.identity, &job->error))
        berth_park_write(job->disk, &job->parked, job->memory, &job->progress, &size, &job->error);
}

/* --- the loop's --------------------------------------------------------------------------------
 */

static void on_captured(gpointer data)
{
    BerthCopyJob *job = data;
    job->events->captured(job, job->user_data);
}

static void on_done(gpointer data)
{
    BerthCopyJob *job = data;
    g_autoptr(GError) error = g_steal_pointer(&job->error);
    job->events->done(job, error, job->user_data);
}

static const BerthWorkerOps worker_ops = {"copy", run, on_captured, on_done};

BerthCopyJob *berth_copy_job_new(const BerthMachine *machine, const char *disk, int memory,
                                 BerthParked *parked, bool capture_first, BerthMirror *mirror,
                                 const BerthCopyJobEvents *events, gpointer user_data)
{
    g_autofree char *text = berth_machine_to_text(machine);
    BerthCopyJob *job = g_new0(BerthCopyJob, 1);
    job->machine = berth_machine_from_text(text, NULL);
    job->disk = g_strdup(disk);
    job->memory = fcntl(memory, F_DUPFD_CLOEXEC, 0);
    job->captures = capture_first;
    job->mirror = mirror;
    job->parked = *parked;
    job->events = events;
    job->user_data = user_data;
    job->worker = berth_worker_new(&worker_ops, job);
    return job;
}

void berth_copy_job_free(BerthCopyJob *job)
{
    if (job == NULL)
        return;
    g_atomic_int_compare_and_exchange(&job->progress, BERTH_PARK_WRITING, BERTH_PARK_CANCELLED);
    berth_worker_free(job->worker);
    berth_mirror_free(job->mirror);
    berth_machine_free(job->machine);
    berth_parked_clear(&job->parked);
    berth_fd_close(&job->memory);
    g_clear_error(&job->error);
    g_free(job->disk);
    g_free(job);
}
