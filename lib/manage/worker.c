/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MSEC 100
/* From the last status message to the worker's end. */
#define EXIT_TIMEOUT_MSEC 5000

typedef struct {
    const BerthWorkerJob *job;
    GPid pid; /* 0: reaped, or never started */
    int fd;   /* status messages from the worker; -1 after their end */
    int data; /* its output, for a sink; -1: none, or after its end */
    BerthImageStatus status;
} Worker;

static guint64 usec_of(const struct timeval *time)
{
    return (guint64)time->tv_sec * G_USEC_PER_SEC + (guint64)time->tv_usec;
}

static void reap(Worker *worker, int *ret_wait_status)
{
    int wait_status = 0;
    struct rusage usage = {0};
    while (wait4(worker->pid, &wait_status, 0, &usage) < 0 && errno == EINTR)
        continue;
    worker->status.cpu_usec = usec_of(&usage.ru_utime) + usec_of(&usage.ru_stime);
    g_spawn_close_pid(worker->pid);
    worker->pid = 0;
    if (ret_wait_status != NULL)
        *ret_wait_status = wait_status;
}

static void worker_clear(Worker *worker)
{
    if (worker->pid != 0) {
        kill(worker->pid, SIGKILL);
        reap(worker, NULL);
    }
    berth_fd_close(&worker->fd);
    berth_fd_close(&worker->data);
    berth_image_status_clear(&worker->status);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Worker, worker_clear)

static char **make_argv(const char *program, const BerthWorkerJob *job)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, g_strdup(program));
    g_ptr_array_add(argv, g_strdup(job->verb));
    for (gsize i = 0; job->options[i] != NULL; i++)
        g_ptr_array_add(argv, g_strdup(job->options[i]));
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

static bool make_pipe(int *ret_read, int *ret_write, GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        berth_error_set_errno(error, errno, "import.worker", "pipe");
        return false;
    }
    *ret_read = ends[0];
    *ret_write = ends[1];
    return true;
}

static bool start(Worker *worker, const char *program, const BerthWorkerJob *job, GError **error)
{
    berth_autofd int words = -1;
    berth_autofd int data = -1;
    if (!make_pipe(&worker->fd, &words, error) ||
        (job->sink != NULL && !make_pipe(&worker->data, &data, error)))
        return false;

    g_auto(GStrv) argv = make_argv(program, job);
    /* The parser's output is untrusted and must not reach the terminal. */
    const GSpawnFlags flags =
        G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL;
    const int given[][2] = {{job->input, BERTH_IMAGE_STATUS_INPUT_FD},
                            {data >= 0 ? data : job->output, BERTH_IMAGE_STATUS_OUTPUT_FD},
                            {words, BERTH_IMAGE_STATUS_FD},
                            {job->spool, BERTH_IMAGE_STATUS_SPOOL_FD}};
    int sources[G_N_ELEMENTS(given)];
    int targets[G_N_ELEMENTS(given)];
    gsize count = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(given); i++) {
        sources[count] = given[i][0];
        targets[count] = given[i][1];
        count += given[i][0] >= 0;
    }
    g_autoptr(GError) problem = NULL;
    if (g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)argv, NULL, flags, NULL, NULL,
                                         -1, -1, -1, sources, targets, count, &worker->pid, NULL,
                                         NULL, NULL, &problem))
        return true;
    worker->pid = 0;
    berth_error_set(error, BERTH_ERROR_FAILED, "import.worker.start",
                    "it belongs beside berth's other programs: install berth again", "%s",
                    problem->message);
    return false;
}

/* "import" + ".cancelled" */
static const char *id_of(const Worker *worker, const char *kind)
{
    g_autofree char *id =
        g_strconcat(worker->job->step != NULL ? worker->job->step : worker->job->verb, kind, NULL);
    return g_intern_string(id);
}

static bool set_cancelled(const Worker *worker, GError **error)
{
    berth_error_set(error, BERTH_ERROR_CANCELLED, id_of(worker, ".cancelled"), NULL, "cancelled");
    return false;
}

/* Read what @fd has; close it at its end. */
static bool drain(int *fd, const BerthWorkerSink *sink, GError **error)
{
    char buffer[16384];
    ssize_t size = read(*fd, buffer, sizeof(buffer));
    if (size == 0)
        berth_fd_close(fd);
    return size <= 0 || sink->feed(buffer, (gsize)size, sink->user_data, error);
}

static bool feed_status(const void *data, gsize size, gpointer user_data, GError **error)
{
    return berth_image_status_feed(user_data, data, size, error);
}

/* Read status messages and output until the end of both. */
static bool read_all(Worker *worker, BerthProgressFunc progress, gpointer user_data, GError **error)
{
    const BerthWorkerSink words = {feed_status, &worker->status};
    while (worker->fd >= 0 || worker->data >= 0) {
        struct pollfd fds[] = {{.fd = worker->fd, .events = POLLIN},
                               {.fd = worker->data, .events = POLLIN}};
        bool ready = poll(fds, G_N_ELEMENTS(fds), TICK_MSEC) > 0;
        if (ready && fds[0].revents != 0 && !drain(&worker->fd, &words, error))
            return false;
        if (progress != NULL && !progress(&worker->status.progress, user_data))
            return set_cancelled(worker, error);
        if (ready && fds[1].revents != 0 && !drain(&worker->data, worker->job->sink, error))
            return false;
    }
    return true;
}

/* Reap the worker; kill it if it does not end soon after EOF. */
static int end(Worker *worker)
{
    berth_autofd int handle = (int)syscall(SYS_pidfd_open, worker->pid, 0);
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    if (handle >= 0 && poll(&ended, 1, EXIT_TIMEOUT_MSEC) == 0)
        kill(worker->pid, SIGKILL);
    int wait_status = 0;
    reap(worker, &wait_status);
    return wait_status;
}

static bool set_ended(const Worker *worker, int wait_status, GError **error)
{
    int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    if (number == SIGKILL || number == SIGTERM)
        berth_error_set(error, BERTH_ERROR_FAILED, id_of(worker, ".worker.killed"),
                        "it may have run out of memory: see dmesg",
                        "the process that reads the %s was killed (signal %d)", worker->job->what,
                        number);
    else if (number != 0)
        berth_error_set(error, BERTH_ERROR_INVALID, id_of(worker, ".worker.crashed"),
                        "do not trust this file, and please report the crash; the reader is "
                        "sandboxed and did no harm",
                        "the %s made the reader crash (signal %d)", worker->job->what, number);
    else
        berth_error_set(error, BERTH_ERROR_FAILED, id_of(worker, ".worker.silent"), NULL,
                        "the process that reads the %s ended without a result (status %d)",
                        worker->job->what, WEXITSTATUS(wait_status));
    return false;
}

bool berth_worker_run(const char *program, const BerthWorkerJob *job, BerthProgressFunc progress,
                      gpointer user_data, BerthImageStatus *ret_status, GError **error)
{
    g_auto(Worker) worker = {.job = job, .fd = -1, .data = -1};
    berth_image_status_init(&worker.status);
    if (!start(&worker, program, job, error) || !read_all(&worker, progress, user_data, error))
        return false;

    int wait_status = end(&worker);
    bool failed = worker.status.error != NULL || !worker.status.has_report;
    /* A caller that cancels may close the archive, which then looks truncated. */
    if (failed && progress != NULL && !progress(&worker.status.progress, user_data))
        return set_cancelled(&worker, error);
    if (worker.status.error != NULL) {
        g_propagate_error(error, g_steal_pointer(&worker.status.error));
        return false;
    }
    if (!worker.status.has_report || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
        return set_ended(&worker, wait_status, error);
    *ret_status = worker.status;
    worker.status = (BerthImageStatus){0};
    return true;
}

bool berth_worker_run_on_disk(const BerthLayout *layout, const char *verb, int fd, const char *name,
                              BerthProgressFunc progress, gpointer user_data,
                              BerthImageStatus *ret_status, GError **error)
{
    g_autofree char *program = berth_layout_image_program(layout);
    g_autofree char *named = g_strconcat("name=", name, NULL);
    const char *const options[] = {named, NULL};
    const BerthWorkerJob job = {
        .verb = verb, .what = "disk", .options = options, .input = fd, .output = -1, .spool = -1};
    return berth_worker_run(program, &job, progress, user_data, ret_status, error);
}
