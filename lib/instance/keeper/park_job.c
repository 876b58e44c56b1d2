/* SPDX-License-Identifier: MIT */
#include "park_job.h"

#include "base/error.h"
#include "base/fd.h"
#include "vmm/guest_ends.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct BerthParkJob {
    void (*work)(BerthParkJob *job);
    /* Of the thread until it ends. */
    BerthMachine *machine;
    int memory;
    int source; /* the memory to copy, or -1 */
    BerthParked parked;
    guint64 size;
    GError *error;

    gint progress; /* BerthParkProgress, of both threads */
    BerthWorker *worker;
    BerthParkJobFunc done;
    gpointer user_data;
};

/* --- the thread's ------------------------------------------------------------------------------
 */

static void save(BerthParkJob *job)
{
    if (berth_park_identity_settle(job->machine->disk, &job->error) &&
        berth_park_identity_read(job->machine, &job->parked.identity, &job->error))
        berth_park_write(job->machine->disk, &job->parked, job->memory, &job->progress, &job->size,
                         &job->error);
}

/* Whether the memory is there already, of the size that the parked guest had. */
static bool is_handed_over(const BerthParkJob *job)
{
    struct stat st;
    return job->parked.is_elsewhere && berth_guest_ends_is_sealed(job->memory) &&
           fstat(job->memory, &st) == 0 && (guint64)st.st_size == job->parked.memory_size;
}

static void load(BerthParkJob *job)
{
    const char *disk = job->machine->disk;
    g_autofree char *path = berth_park_path(disk);
    berth_autofd int fd = berth_park_open(disk, &job->parked, &job->error);
    if (fd < 0 || !berth_park_identity_check(&job->parked.identity, job->machine, &job->error))
        return;
    if (!is_handed_over(job))
        berth_park_load(fd, path, job->memory, &job->error);
}

static void copy(BerthParkJob *job)
{
    if (!berth_guest_ends_copy(job->source, job->memory))
        berth_error_set_errno(&job->error, errno, "park.read", "the guest's memory");
}

static void run(gpointer data)
{
    BerthParkJob *job = data;
    job->work(job);
}

/* --- the loop's --------------------------------------------------------------------------------
 */

static void on_done(gpointer data)
{
    BerthParkJob *job = data;
    g_autoptr(GError) error = g_steal_pointer(&job->error);
    job->done(job, error, job->user_data);
}

static const BerthWorkerOps worker_ops = {.name = "park", .work = run, .done = on_done};

static BerthMachine *copy_machine(const BerthMachine *machine)
{
    g_autofree char *text = berth_machine_to_text(machine);
    return berth_machine_from_text(text, NULL);
}

static BerthParkJob *begin(const BerthMachine *machine, int memory, int source, BerthParked *parked,
                           void (*work)(BerthParkJob *job), BerthParkJobFunc done,
                           gpointer user_data)
{
    BerthParkJob *job = g_new0(BerthParkJob, 1);
    job->work = work;
    job->machine = copy_machine(machine);
    job->memory = fcntl(memory, F_DUPFD_CLOEXEC, 0);
    job->source = source >= 0 ? fcntl(source, F_DUPFD_CLOEXEC, 0) : -1;
    if (parked != NULL)
        job->parked = *parked;
    job->done = done;
    job->user_data = user_data;
    job->worker = berth_worker_new(&worker_ops, job);
    return job;
}

BerthParkJob *berth_park_job_save(const BerthMachine *machine, int memory, BerthParked *parked,
                                  BerthParkJobFunc done, gpointer user_data)
{
    return begin(machine, memory, -1, parked, save, done, user_data);
}

BerthParkJob *berth_park_job_load(const BerthMachine *machine, int memory, BerthParkJobFunc done,
                                  gpointer user_data)
{
    return begin(machine, memory, -1, NULL, load, done, user_data);
}

BerthParkJob *berth_park_job_copy(const BerthMachine *machine, int from, int memory,
                                  BerthParkJobFunc done, gpointer user_data)
{
    return begin(machine, memory, from, NULL, copy, done, user_data);
}

bool berth_park_job_cancel(BerthParkJob *job)
{
    g_atomic_int_compare_and_exchange(&job->progress, BERTH_PARK_WRITING, BERTH_PARK_CANCELLED);
    return g_atomic_int_get(&job->progress) == BERTH_PARK_CANCELLED;
}

const BerthParked *berth_park_job_parked(const BerthParkJob *job)
{
    return &job->parked;
}

guint64 berth_park_job_size(const BerthParkJob *job)
{
    return job->size;
}

void berth_park_job_free(BerthParkJob *job)
{
    if (job == NULL)
        return;
    berth_park_job_cancel(job);
    berth_worker_free(job->worker);
    berth_machine_free(job->machine);
    berth_parked_clear(&job->parked);
    berth_fd_close(&job->memory);
    berth_fd_close(&job->source);
    g_clear_error(&job->error);
    g_free(job);
}
