/* SPDX-License-Identifier: MIT */
#include "copy_job.h"

#include "base/fd.h"
#include "worker.h"

#include <fcntl.h>

struct BerthCopyJob {
    /* Of the thread until it ends. */
    BerthMachine *machine;
    char *disk;
    int memory;
    BerthParked parked;
    GError *error;

    gint progress; /* BerthParkProgress, of both threads */
    BerthWorker *worker;
    BerthCopyJobFunc done;
    gpointer user_data;
};

/* --- the thread's ------------------------------------------------------------------------------
 */

static void run(gpointer data)
{
    BerthCopyJob *job = data;
    guint64 size;
    if (berth_park_identity_read(job->machine, &job->parked.identity, &job->error))
        berth_park_write(job->disk, &job->parked, job->memory, &job->progress, &size, &job->error);
}

/* --- the loop's --------------------------------------------------------------------------------
 */

static void on_done(gpointer data)
{
    BerthCopyJob *job = data;
    g_autoptr(GError) error = g_steal_pointer(&job->error);
    job->done(job, error, job->user_data);
}

static const BerthWorkerOps worker_ops = {.name = "copy", .work = run, .done = on_done};

BerthCopyJob *berth_copy_job_new(const BerthMachine *machine, const char *disk, int memory,
                                 BerthParked *parked, BerthCopyJobFunc done, gpointer user_data)
{
    g_autofree char *text = berth_machine_to_text(machine);
    BerthCopyJob *job = g_new0(BerthCopyJob, 1);
    job->machine = berth_machine_from_text(text, NULL);
    job->disk = g_strdup(disk);
    job->memory = fcntl(memory, F_DUPFD_CLOEXEC, 0);
    job->parked = *parked;
    job->done = done;
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
    berth_machine_free(job->machine);
    berth_parked_clear(&job->parked);
    berth_fd_close(&job->memory);
    g_clear_error(&job->error);
    g_free(job->disk);
    g_free(job);
}
