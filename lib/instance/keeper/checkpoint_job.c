/* SPDX-License-Identifier: MIT */
#include "checkpoint_job.h"

#include "base/fd.h"
#include "base/process.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_SIZE 1024u
#define LIMIT_SEC     60u /* of one checkpoint, whatever its disk does */
#define NUMBER_MAX    G_GUINT64_CONSTANT(1000000000000) /* microseconds: 11 days */

struct BerthCheckpointJob {
    GPid pid; /* 0 once it was reaped */
    GSource *child;
    GSource *limit; /* until it is killed */
    int output;     /* a pipe */
    BerthCheckpointJobFunc done;
    gpointer user_data;
};

/* --- its line --------------------------------------------------------------------------------- */

void berth_checkpoint_result_clear(BerthCheckpointResult *result)
{
    g_clear_pointer(&result->text, g_free);
}

static bool parse_number(const char *text, guint64 *ret_number)
{
    return text != NULL && g_ascii_string_to_unsigned(text, 10, 0, NUMBER_MAX, ret_number, NULL);
}

BerthCheckpointResult berth_checkpoint_result_parse(const char *line)
{
    BerthCheckpointResult result = {BERTH_CHECKPOINT_JOB_FAILED};
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    const char *first = words[0] != NULL ? words[0] : "";
    const char *second = words[0] != NULL ? words[1] : NULL;
    const char *third = second != NULL ? words[2] : NULL;
    if (strcmp(first, "busy") == 0 && second == NULL) {
        result.kind = BERTH_CHECKPOINT_JOB_BUSY;
    } else if (strcmp(first, "early") == 0 && third == NULL &&
               parse_number(second, &result.number)) {
        result.kind = BERTH_CHECKPOINT_JOB_EARLY;
    } else if (strcmp(first, "taken") == 0 && parse_number(third, &result.number)) {
        result.kind = BERTH_CHECKPOINT_JOB_TAKEN;
        result.text = g_strdup(second);
    } else {
        result.text = g_strdup(g_str_has_prefix(line, "failed ") ? line + strlen("failed ")
                                                                 : "berth-checkpoint has ended");
    }
    return result;
}

/* --- the process ------------------------------------------------------------------------------ */

/* The text that the program has printed so far; the whole of it if the program has ended. Free with
 * g_free. */
static char *read_line(const BerthCheckpointJob *job)
{
    char *line = g_malloc0(LINE_MAX_SIZE);
    gsize size = 0;
    ssize_t got;
    do {
        got = read(job->output, line + size, LINE_MAX_SIZE - 1 - size);
        size += got > 0 ? (gsize)got : 0;
    } while ((got > 0 && size < LINE_MAX_SIZE - 1) || (got < 0 && errno == EINTR));
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static void on_child_exit(GPid pid, gint wait_status, gpointer user_data)
{
    BerthCheckpointJob *job = user_data;
    g_autofree char *line = read_line(job);
    g_auto(BerthCheckpointResult) result = berth_checkpoint_result_parse(line);
    job->pid = 0;
    job->done(&result, job->user_data);
}

/* The distro stands still as long as it lives. */
static gboolean on_limit(gpointer user_data)
{
    const BerthCheckpointJob *job = user_data;
    kill(job->pid, SIGKILL); /* on_child_exit follows */
    return G_SOURCE_REMOVE;
}

static void watch(BerthCheckpointJob *job)
{
    GMainContext *context = g_main_context_get_thread_default();
    job->child = g_child_watch_source_new(job->pid);
    g_source_set_callback(job->child, G_SOURCE_FUNC(on_child_exit), job, NULL);
    g_source_attach(job->child, context);
    job->limit = g_timeout_source_new_seconds(LIMIT_SEC);
    g_source_set_callback(job->limit, on_limit, job, NULL);
    g_source_attach(job->limit, context);
}

/* It must not outlive the keeper: its claim would be in the way of the next start. */
static void prepare_child(gpointer user_data)
{
    berth_process_reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

BerthCheckpointJob *berth_checkpoint_job_start(const char *program, const BerthMachine *machine,
                                               BerthCheckpointJobFunc done, gpointer user_data,
                                               GError **error)
{
    BerthCheckpointJob *job = g_new0(BerthCheckpointJob, 1);
    const char *const argv[] = {program, machine->data, machine->id, machine->checkpoint, NULL};
    job->done = done;
    job->user_data = user_data;
    job->output = -1;
    if (!g_spawn_async_with_pipes_and_fds(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                                          prepare_child, NULL, -1, -1, -1, NULL, NULL, 0, &job->pid,
                                          NULL, &job->output, NULL, error)) {
        g_free(job);
        return NULL;
    }
    g_unix_set_fd_nonblocking(job->output, TRUE, NULL); /* nothing it starts may hold us up */
    watch(job);
    return job;
}

void berth_checkpoint_job_free(BerthCheckpointJob *job)
{
    if (job == NULL)
        return;
    g_source_destroy(job->child);
    g_source_unref(job->child);
    g_source_destroy(job->limit);
    g_source_unref(job->limit);
    if (job->pid != 0) {
        kill(job->pid, SIGKILL);
        while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    berth_fd_close(&job->output);
    g_free(job);
}
