/* SPDX-License-Identifier: MIT */
#include "up_run.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_KEPT 4096 /* bytes at the end of a step's output, in which its error's code is */

typedef struct {
    const UpRun *run;
    char *state_path, *log_path; /* NULL before the distro is there */
    char *state;                 /* the text of the former one; NULL: none */
    char *first;                 /* its first line, how the distro was installed */
    int log;                     /* locked; -1: not open */
} Up;

static void up_clear(Up *up)
{
    g_free(up->state_path);
    g_free(up->log_path);
    g_free(up->state);
    g_free(up->first);
    berth_fd_close(&up->log);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Up, up_clear)

/* --- a step's process --- */

static void end_with_parent(gpointer unused)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* Copy @fd to standard error and the log until its end, and its last bytes to @kept. */
static void copy_output(const Up *up, int fd, GString *kept)
{
    char block[4096];
    ssize_t size;
    while ((size = read(fd, block, sizeof(block))) > 0 || (size < 0 && errno == EINTR)) {
        gsize length = (gsize)MAX(size, 0);
        berth_fd_write_all(STDERR_FILENO, block, length);
        if (up->log >= 0)
            berth_fd_write_all(up->log, block, length);
        g_string_append_len(kept, block, (gssize)length);
        if (kept->len > OUTPUT_KEPT)
            g_string_erase(kept, 0, (gssize)(kept->len - OUTPUT_KEPT));
    }
}

/* Run berth with @words; its output is shown, logged, and the end of it in @kept. If @kept is NULL,
 * it has our streams. Returns the exit status, 128+n for signal n; -1 with @error. */
static int run_berth(const Up *up, const char *const *words, GString *kept, GError **error)
{
    GPid pid;
    int status;
    int ends[2] = {-1, -1};
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (char *)"/proc/self/exe");
    for (gsize i = 0; words[i] != NULL; i++)
        g_ptr_array_add(argv, (char *)words[i]);
    g_ptr_array_add(argv, NULL);
    if (kept != NULL && pipe2(ends, O_CLOEXEC) != 0) {
        berth_error_set_errno(error, errno, "up.step", "make a pipe");
        return -1;
    }
    berth_autofd int output = ends[0];
    berth_autofd int input = ends[1];
    if (!g_spawn_async_with_fds(up->run->directory, (char **)argv->pdata, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD, end_with_parent, NULL, &pid, -1, input,
                                input, error))
        return -1;
    berth_fd_close(&input);
    if (kept != NULL)
        copy_output(up, output, kept);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool check_status(const Up *up, const char *title, int status, GError **error)
{
    if (status == 0)
        return true;
    g_autofree char *hint = up->log_path != NULL
                                ? g_strdup_printf("\"berth up\" continues with it; its output is "
                                                  "in %s",
                                                  up->log_path)
                                : g_strdup("\"berth up\" tries it again");
    if (status > 0)
        berth_error_set(error, BERTH_ERROR_FAILED, "up.step", hint, "%s: exit status %d", title,
                        status);
    return false;
}

/* --- what was done --- */

static char *state_line(const UpStep *step)
{
    g_autofree char *digest = up_step_digest(step);
    return g_strdup_printf("%s %s\n", digest, step->title);
}

static bool is_done(const Up *up, const UpStep *step)
{
    g_autofree char *line = state_line(step);
    const char *found = up->state != NULL ? strstr(up->state, line) : NULL;
    return found != NULL && (found == up->state || found[-1] == '\n');
}

/* Write that all steps up to the @count'th are done, and which of the later ones were before. */
static bool save(const Up *up, guint count, GError **error)
{
    g_autoptr(GString) text = g_string_new(up->first);
    for (guint i = 1; i < up->run->plan->len; i++) {
        const UpStep *step = up->run->plan->pdata[i];
        g_autofree char *line = state_line(step);
        g_string_append(text, i < count || is_done(up, step) ? line : "");
    }
    g_autoptr(GError) problem = NULL;
    if (g_file_set_contents_full(up->state_path, text->str, -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                 0600, &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "up.state", NULL, "%s", problem->message);
    return false;
}

/* Find the files of the distro, which exists; read what was done. */
static bool find_state(Up *up, GError **error)
{
    g_autofree char *console = berth_log_path(up->run->berth, up->run->name, error);
    if (console == NULL)
        return false;
    g_autofree char *directory = g_path_get_dirname(console);
    if (g_mkdir_with_parents(directory, 0700) != 0) {
        berth_error_set_errno(error, errno, "up.state", "%s", directory);
        return false;
    }
    up->state_path = g_build_filename(directory, "up", NULL);
    up->log_path = g_build_filename(directory, "up.log", NULL);
    g_file_get_contents(up->state_path, &up->state, NULL, NULL);
    return true;
}

/* Open the log, whose lock keeps another up away. */
static bool open_log(Up *up, GError **error)
{
    up->log = open(up->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (up->log < 0) {
        berth_error_set_errno(error, errno, "up.log", "%s", up->log_path);
        return false;
    }
    if (flock(up->log, LOCK_EX | LOCK_NB) == 0)
        return true;
    berth_error_set(error, BERTH_ERROR_BUSY, "up.busy", "wait for it to end",
                    "another \"berth up\" works on %s", up->run->name);
    return false;
}

/* --- the steps --- */

static void show(const Up *up, const UpStep *step, bool done)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *when = g_date_time_format(now, "%F %T");
    g_autofree char *line = g_strstrip(g_strdup_printf("%s %s", step->title, step->detail));
    for (char *c = line; *c != '\0'; c++)
        *c = g_ascii_iscntrl(*c) ? '?' : *c;
    printf("%s %s\n", done ? "done before:" : "==>", line);
    fflush(stdout);
    if (!done && up->log >= 0)
        dprintf(up->log, "[berth %s] %s\n", when, line);
}

/* Whether @output, of the step's failure, has one of its codes. */
static bool says_done(const UpStep *step, const char *output)
{
    g_auto(GStrv) codes = g_strsplit(step->done != NULL ? step->done : "", " ", -1);
    bool found = false;
    for (gsize i = 0; codes[i] != NULL; i++) {
        g_autofree char *line = g_strdup_printf("\ncode: %s\n", codes[i]);
        found = found || strstr(output, line) != NULL;
    }
    return found;
}

static bool perform(const Up *up, guint index, GError **error)
{
    const UpStep *step = up->run->plan->pdata[index];
    bool done = is_done(up, step) && !up->run->again;
    g_autoptr(GString) output = g_string_new(NULL);
    show(up, step, done);
    int status = done ? 0 : run_berth(up, (const char *const *)step->argv, output, error);
    if (status > 0 && says_done(step, output->str)) {
        fprintf(stderr, "berth: up: notice: it is so already\n");
        status = 0;
    }
    return check_status(up, step->title, status, error) && save(up, index + 1, error);
}

static bool distro_exists(const UpRun *run)
{
    g_autofree char *found = berth_resolve(run->berth, run->name, NULL);
    return found != NULL;
}

/* Install the distro, or look at the one that is there. */
static bool install(Up *up, GError **error)
{
    const UpStep *step = up->run->plan->pdata[0];
    bool exists = distro_exists(up->run);
    if (!exists) {
        show(up, step, false);
        if (!check_status(up, step->title,
                          run_berth(up, (const char *const *)step->argv, NULL, error), error))
            return false;
    }
    if (!find_state(up, error) || !open_log(up, error))
        return false;
    if (exists && up->state == NULL && !up->run->existing) {
        berth_error_set(error, BERTH_ERROR_EXISTS, "up.exists",
                        "choose another name in [project], or set this one up: --existing",
                        "there is a distro %s that \"berth up\" did not make", up->run->name);
        return false;
    }
    if (exists && up->state != NULL && !is_done(up, step))
        fprintf(stderr,
                "berth: up: notice: %s was made from another source; to make it again, first run: "
                "berth unregister %s\n",
                up->run->name, up->run->name);
    up->first =
        up->state != NULL ? g_strndup(up->state, strcspn(up->state, "\n") + 1) : state_line(step);
    return save(up, 1, error);
}

/* Say what the project no longer asks for, and is left as it is. */
static void show_left(const Up *up)
{
    g_auto(GStrv) lines = g_strsplit(up->state != NULL ? up->state : "", "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        const char *title = strchr(lines[i], ' ');
        bool found = title == NULL;
        for (guint k = 0; !found && k < up->run->plan->len; k++)
            found = strcmp(((const UpStep *)up->run->plan->pdata[k])->title, title + 1) == 0;
        if (!found)
            fprintf(stderr, "berth: up: notice: no longer in the project, left as it is:%s\n",
                    title);
    }
}

bool up_run(const UpRun *run, GError **error)
{
    g_auto(Up) up = {.run = run, .log = -1};
    if (!install(&up, error))
        return false;
    show_left(&up);
    for (guint i = 1; i < run->plan->len; i++)
        if (!perform(&up, i, error))
            return false;
    const char *const words[] = {"start", run->name, NULL};
    g_autoptr(GString) output = g_string_new(NULL);
    return check_status(&up, "start", run_berth(&up, words, output, error), error);
}
