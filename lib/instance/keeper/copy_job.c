/* SPDX-License-Identifier: MIT */
#include "copy_job.h"

#include "base/error.h"
#include "base/fd.h"
#include "vmm/guest_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct BerthCopyJob {
    /* Of the thread until it ends. */
    BerthMachine *machine;
    char *disk;
    int memory;
    bool captures;
    BerthParked parked;
    GError *error;

    gint progress; /* BerthParkProgress, of both threads */
    GThread *thread;
    GMainContext *context;
    GSource *captured; /* both attached by the thread */
    GSource *finisher;
    const BerthCopyJobEvents *events;
    gpointer user_data;
};

/* --- the thread's ------------------------------------------------------------------------------
 */

static bool is_cancelled(BerthCopyJob *job)
{
    return g_atomic_int_get(&job->progress) == BERTH_PARK_CANCELLED;
}

/* Write the bytes of the mapped memory from @begin to @end to the same place of @output. */
static bool copy_range(BerthCopyJob *job, const guint8 *memory, off_t begin, off_t end, int output)
{
    const off_t most = 16 << 20; /* between two looks whether it is cancelled */
    while (begin < end) {
        ssize_t size = pwrite(output, memory + begin, (size_t)MIN(end - begin, most), begin);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0 || is_cancelled(job))
            return false;
        begin += size;
    }
    return true;
}

static bool copy_extents(BerthCopyJob *job, const guint8 *memory, int output)
{
    off_t end = 0;
    for (;;) {
        off_t begin = lseek(job->memory, end, SEEK_DATA);
        if (begin < 0 && errno == ENXIO)
            return true;
        end = begin >= 0 ? lseek(job->memory, begin, SEEK_HOLE) : -1;
        if (end < 0 || !copy_range(job, memory, begin, end, output))
            return false;
    }
}

/* False with errno. */
static bool copy_memory(BerthCopyJob *job, int output)
{
    struct stat st;
    if (output < 0 || fstat(job->memory, &st) < 0 || ftruncate(output, st.st_size) < 0)
        return false;
    if (st.st_size == 0)
        return true;
    void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, job->memory, 0);
    if (memory == MAP_FAILED)
        return false;
    bool done = copy_extents(job, memory, output);
    int errnum = errno;
    munmap(memory, (size_t)st.st_size);
    errno = errnum;
    return done;
}

static bool capture(BerthCopyJob *job)
{
    berth_autofd int output = berth_guest_ends_memory();
    if (!copy_memory(job, output)) {
        berth_error_set_errno(&job->error, errno, "park.write", "a copy of the guest's memory");
        return false;
    }
    berth_fd_close(&job->memory);
    job->memory = berth_fd_steal(&output);
    g_source_attach(job->captured, job->context);
    return true;
}

static gpointer run(gpointer data)
{
    BerthCopyJob *job = data;
    guint64 size;
    bool with_file = job->captures && !job->parked.with_memory; /* else it is part of the state */
    if (job->captures && !with_file)
        g_source_attach(job->captured, job->context);
    if ((!with_file || capture(job)) &&
        berth_park_identity_read(job->machine, &job->parked.identity, &job->error))
        berth_park_write(job->disk, &job->parked, job->memory, &job->progress, &size, &job->error);
    g_source_attach(job->finisher, job->context);
    return NULL;
}

/* --- the loop's --------------------------------------------------------------------------------
 */

static gboolean on_captured(gpointer user_data)
{
    BerthCopyJob *job = user_data;
    job->events->captured(job, job->user_data);
    return G_SOURCE_REMOVE;
}

static gboolean on_finish(gpointer user_data)
{
    BerthCopyJob *job = user_data;
    if (job->thread != NULL)
        g_thread_join(g_steal_pointer(&job->thread));
    g_autoptr(GError) error = g_steal_pointer(&job->error);
    job->events->done(job, error, job->user_data);
    return G_SOURCE_REMOVE;
}

static GSource *make_source(BerthCopyJob *job, GSourceFunc function)
{
    GSource *source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, function, job, NULL);
    return source;
}

BerthCopyJob *berth_copy_job_new(const BerthMachine *machine, const char *disk, int memory,
                                 BerthParked *parked, bool capture_first,
                                 const BerthCopyJobEvents *events, gpointer user_data)
{
    g_autofree char *text = berth_machine_to_text(machine);
    BerthCopyJob *job = g_new0(BerthCopyJob, 1);
    job->machine = berth_machine_from_text(text, NULL);
    job->disk = g_strdup(disk);
    job->memory = fcntl(memory, F_DUPFD_CLOEXEC, 0);
    job->captures = capture_first;
    job->parked = *parked;
    job->context = g_main_context_ref_thread_default();
    job->captured = make_source(job, on_captured);
    job->finisher = make_source(job, on_finish);
    job->events = events;
    job->user_data = user_data;
    job->thread = g_thread_try_new("copy", run, job, NULL);
    if (job->thread == NULL) /* the loop must wait then */
        run(job);
    return job;
}

void berth_copy_job_free(BerthCopyJob *job)
{
    if (job == NULL)
        return;
    g_atomic_int_compare_and_exchange(&job->progress, BERTH_PARK_WRITING, BERTH_PARK_CANCELLED);
    if (job->thread != NULL)
        g_thread_join(job->thread);
    g_source_destroy(job->captured);
    g_source_unref(job->captured);
    g_source_destroy(job->finisher);
    g_source_unref(job->finisher);
    g_main_context_unref(job->context);
    berth_machine_free(job->machine);
    berth_parked_clear(&job->parked);
    berth_fd_close(&job->memory);
    g_clear_error(&job->error);
    g_free(job->disk);
    g_free(job);
}
