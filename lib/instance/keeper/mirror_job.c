/* SPDX-License-Identifier: MIT */
#include "mirror_job.h"

#include "base/fd.h"
#include "instance/host/host_memory.h"
#include "worker.h"

#include <fcntl.h>

struct BerthMirrorJob {
    /* Of the thread until it ends. */
    int memory;
    bool is_last; /* the guest stands still: one pass */
    BerthMirror *mirror;
    GError *error;

    gint stop; /* of both threads */
    bool finished;
    BerthWorker *worker;
    BerthMirrorJobFunc done;
    gpointer user_data;
};

static bool copy(BerthMirrorJob *job)
{
    guint64 changed;
    if (job->mirror == NULL)
        job->mirror =
            berth_mirror_new(job->memory, berth_host_memory_available(BERTH_MEMINFO), &job->error);
    if (job->mirror == NULL)
        return false;
    return job->is_last ? berth_mirror_pass(job->mirror, &job->stop, &changed, &job->error)
                        : berth_mirror_follow(job->mirror, &job->stop, &job->error);
}

static void run(gpointer data)
{
    BerthMirrorJob *job = data;
    if (!copy(job))
        g_clear_pointer(&job->mirror, berth_mirror_free);
}

static void on_done(gpointer data)
{
    BerthMirrorJob *job = data;
    g_autoptr(GError) error = g_steal_pointer(&job->error);
    job->finished = true;
    job->done(job, error, job->user_data);
}

static const BerthWorkerOps worker_ops = {.name = "mirror", .work = run, .done = on_done};

static BerthMirrorJob *begin(int memory, bool is_last, BerthMirror *mirror, BerthMirrorJobFunc done,
                             gpointer user_data)
{
    BerthMirrorJob *job = g_new0(BerthMirrorJob, 1);
    job->memory = fcntl(memory, F_DUPFD_CLOEXEC, 0);
    job->is_last = is_last;
    job->mirror = mirror;
    job->done = done;
    job->user_data = user_data;
    job->worker = berth_worker_new(&worker_ops, job);
    return job;
}

BerthMirrorJob *berth_mirror_job_new(int memory, BerthMirrorJobFunc done, gpointer user_data)
{
    return begin(memory, false, NULL, done, user_data);
}

BerthMirrorJob *berth_mirror_job_finish(int memory, BerthMirror *mirror, BerthMirrorJobFunc done,
                                        gpointer user_data)
{
    return begin(memory, true, mirror, done, user_data);
}

bool berth_mirror_job_is_finished(const BerthMirrorJob *job)
{
    return job->finished;
}

BerthMirror *berth_mirror_job_steal(BerthMirrorJob *job)
{
    return job->finished ? g_steal_pointer(&job->mirror) : NULL;
}

void berth_mirror_job_free(BerthMirrorJob *job)
{
    if (job == NULL)
        return;
    g_atomic_int_set(&job->stop, 1);
    berth_worker_free(job->worker);
    berth_mirror_free(job->mirror);
    berth_fd_close(&job->memory);
    g_clear_error(&job->error);
    g_free(job);
}
