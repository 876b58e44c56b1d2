/* SPDX-License-Identifier: MIT */
#include "children.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_USEC (5 * G_USEC_PER_SEC) /* from SIGTERM to SIGKILL */
#define CHUNK      65536
#define CHUNKS_MAX 64 /* read in a row: a call that floods delays no other */
#define REPORT_MAX 16384
#define REPORT_FD  3 /* in the child */

enum { OUT, ERR, REPORT, PIPES };

typedef struct {
    guint number;
    pid_t pid;
    int process;      /* a pidfd; -1: it could not begin */
    int pipes[PIPES]; /* -1: at its end */
    GByteArray *report;
    BerthMcpOutcome outcome;
    gint64 deadline_usec; /* monotonic: of SIGTERM, then of SIGKILL */
    bool asked;           /* SIGTERM was sent */
} Child;

struct BerthChildren {
    BerthPerform perform;
    BerthChildFinished finished;
    gpointer user_data;
    GPtrArray *list; /* Child */
};

static void child_free(Child *child)
{
    for (gsize i = 0; i < PIPES; i++)
        berth_fd_close(&child->pipes[i]);
    berth_fd_close(&child->process);
    g_byte_array_unref(child->report);
    berth_mcp_outcome_clear(&child->outcome);
    g_free(child);
}

BerthChildren *berth_children_new(BerthPerform perform, BerthChildFinished finished,
                                  gpointer user_data)
{
    BerthChildren *children = g_new0(BerthChildren, 1);
    children->perform = perform;
    children->finished = finished;
    children->user_data = user_data;
    children->list = g_ptr_array_new_with_free_func((GDestroyNotify)child_free);
    return children;
}

void berth_children_free(BerthChildren *children)
{
    if (children == NULL)
        return;
    g_assert(children->list->len == 0);
    g_ptr_array_unref(children->list);
    g_free(children);
}

guint berth_children_count(const BerthChildren *children)
{
    return children->list->len;
}

/* --- in the child --- */

static void reset_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaddset(&set, numbers[i]);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* @report may be any descriptor: first it moves out of the way of the others. */
static void set_descriptors(int input, const int pipes[PIPES])
{
    int report = fcntl(pipes[REPORT], F_DUPFD_CLOEXEC, 16);
    int out = fcntl(pipes[OUT], F_DUPFD_CLOEXEC, 16);
    int err = fcntl(pipes[ERR], F_DUPFD_CLOEXEC, 16);
    int in = fcntl(input, F_DUPFD_CLOEXEC, 16);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    dup3(report, REPORT_FD, O_CLOEXEC);
    close_range(REPORT_FD + 1, ~0u, 0);
}

static void add_string(GByteArray *bytes, const char *text)
{
    g_byte_array_append(bytes, (const guint8 *)text, (guint)strlen(text) + 1);
}

static void write_report(const BerthPerformed *performed)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *status = g_strdup_printf("%d", performed->status);
    add_string(bytes, status);
    if (performed->error != NULL) {
        const char *hint = berth_error_hint(performed->error);
        add_string(bytes, berth_error_id(performed->error));
        add_string(bytes, performed->description);
        add_string(bytes, hint != NULL ? hint : "");
    }
    berth_fd_write_all(REPORT_FD, bytes->data, bytes->len);
}

static G_GNUC_NORETURN void run_child(const BerthChildren *children, const BerthMcpCall *call,
                                      pid_t parent, int input, const int pipes[PIPES])
{
    set_descriptors(input, pipes);
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    BerthPerformed performed = children->perform((char **)call->argv->pdata);
    write_report(&performed);
    _exit(EXIT_SUCCESS);
}

/* --- to begin --- */

/* A descriptor from which the child reads the input of @call. */
static int open_input(const BerthMcpCall *call)
{
    gsize size = 0;
    gconstpointer bytes = call->input != NULL ? g_bytes_get_data(call->input, &size) : NULL;
    if (call->input == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    berth_autofd int fd = memfd_create("berth-mcp-input", MFD_CLOEXEC);
    if (fd < 0 || berth_fd_write_all(fd, bytes, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

static bool open_pipes(Child *child, int ret_others[PIPES])
{
    for (gsize i = 0; i < PIPES; i++)
        ret_others[i] = -1;
    for (gsize i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
            return false;
        child->pipes[i] = ends[0];
        ret_others[i] = ends[1];
        berth_fd_set_nonblocking(ends[0], true);
    }
    return true;
}

static bool start(const BerthChildren *children, Child *child, const BerthMcpCall *call)
{
    int others[PIPES];
    berth_autofd int input = open_input(call);
    pid_t parent = getpid();
    bool ok = open_pipes(child, others) && input >= 0;
    if (ok)
        child->pid = fork();
    if (ok && child->pid == 0)
        run_child(children, call, parent, input, others);
    ok = ok && child->pid > 0;
    for (gsize i = 0; i < PIPES; i++)
        berth_fd_close(&others[i]);
    if (ok)
        child->process = pidfd_open(child->pid, 0);
    if (ok && child->process < 0) { /* it is not watched without one */
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    return child->process >= 0;
}

void berth_children_begin(BerthChildren *children, guint number, const BerthMcpCall *call)
{
    Child *child = g_new0(Child, 1);
    child->number = number;
    child->process = -1;
    for (gsize i = 0; i < PIPES; i++)
        child->pipes[i] = -1;
    child->report = g_byte_array_new();
    child->outcome.status = -1;
    berth_mcp_output_init(&child->outcome.out, call->output_limit);
    berth_mcp_output_init(&child->outcome.err, call->output_limit);
    child->deadline_usec = g_get_monotonic_time() + (gint64)call->time_limit_sec * G_USEC_PER_SEC;
    g_ptr_array_add(children->list, child);
    if (start(children, child, call))
        return;
    child->outcome.error_id = g_strdup("mcp.process");
    child->outcome.error_text = g_strdup_printf("no process for the call: %s", g_strerror(errno));
}

/* --- to end --- */

static void ask_to_end(Child *child)
{
    if (child->process < 0 || child->asked)
        return;
    child->asked = true;
    child->deadline_usec = g_get_monotonic_time() + GRACE_USEC;
    pidfd_send_signal(child->process, SIGTERM, NULL, 0);
}

void berth_children_cancel(BerthChildren *children, guint number)
{
    for (guint i = 0; i < children->list->len; i++) {
        Child *child = children->list->pdata[i];
        if (child->number == number)
            ask_to_end(child);
    }
}

void berth_children_cancel_all(BerthChildren *children)
{
    for (guint i = 0; i < children->list->len; i++)
        ask_to_end(children->list->pdata[i]);
}

static void check_time(Child *child)
{
    if (child->process < 0 || g_get_monotonic_time() < child->deadline_usec)
        return;
    if (child->asked) {
        pidfd_send_signal(child->process, SIGKILL, NULL, 0);
        child->deadline_usec = G_MAXINT64;
        return;
    }
    child->outcome.timed_out = true;
    ask_to_end(child);
}

/* --- meanwhile --- */

static void add_bytes(Child *child, gsize which, const guint8 *bytes, gsize size)
{
    if (which == OUT)
        berth_mcp_output_add(&child->outcome.out, bytes, size);
    else if (which == ERR)
        berth_mcp_output_add(&child->outcome.err, bytes, size);
    else if (child->report->len + size <= REPORT_MAX)
        g_byte_array_append(child->report, bytes, (guint)size);
}

static void read_pipe(Child *child, gsize which)
{
    guint8 bytes[CHUNK];
    for (gsize i = 0; i < CHUNKS_MAX && child->pipes[which] >= 0; i++) {
        ssize_t size = read(child->pipes[which], bytes, sizeof(bytes));
        if (size > 0)
            add_bytes(child, which, bytes, (gsize)size);
        else if (size == 0 || (errno != EAGAIN && errno != EINTR))
            berth_fd_close(&child->pipes[which]);
        else if (errno == EAGAIN)
            return;
    }
}

static char *next_string(const GByteArray *bytes, gsize *at)
{
    const char *begin = (const char *)bytes->data + *at;
    const char *end = *at < bytes->len ? memchr(begin, '\0', bytes->len - *at) : NULL;
    if (end == NULL)
        return NULL;
    *at += (gsize)(end - begin) + 1;
    return g_utf8_make_valid(begin, end - begin);
}

static void read_report(Child *child)
{
    gsize at = 0;
    BerthMcpOutcome *outcome = &child->outcome;
    if (child->report->len == 0)
        return;
    g_autofree char *status = next_string(child->report, &at);
    g_autofree char *id = next_string(child->report, &at);
    g_autofree char *text = next_string(child->report, &at);
    g_autofree char *hint = next_string(child->report, &at);
    outcome->status = status != NULL ? atoi(status) : -1;
    if (hint == NULL)
        return;
    outcome->error_id = g_steal_pointer(&id);
    outcome->error_text = g_steal_pointer(&text);
    outcome->error_hint = hint[0] != '\0' ? g_steal_pointer(&hint) : NULL;
}

/* Whether the child has ended. Its output is in the pipes then; processes that it left are not
 * waited for. */
static bool has_ended(Child *child)
{
    struct pollfd poller = {.fd = child->process, .events = POLLIN};
    if (child->process < 0)
        return true;
    bool ended = poll(&poller, 1, 0) == 1;
    for (gsize i = 0; i < PIPES; i++)
        read_pipe(child, i);
    if (!ended)
        return false;
    waitpid(child->pid, NULL, 0);
    read_report(child);
    return true;
}

int berth_children_poll(const BerthChildren *children, GArray *polled)
{
    gint64 now = g_get_monotonic_time();
    gint64 first = G_MAXINT64;
    for (guint i = 0; i < children->list->len; i++) {
        const Child *child = children->list->pdata[i];
        const struct pollfd process = {.fd = child->process, .events = POLLIN};
        first = MIN(first, child->process >= 0 ? child->deadline_usec : now);
        g_array_append_val(polled, process);
        for (gsize j = 0; j < PIPES; j++) {
            const struct pollfd pipe = {.fd = child->pipes[j], .events = POLLIN};
            g_array_append_val(polled, pipe);
        }
    }
    return first == G_MAXINT64 ? -1 : (int)CLAMP((first - now + 999) / 1000, 0, 3600000);
}

void berth_children_handle(BerthChildren *children)
{
    for (guint i = children->list->len; i > 0; i--) {
        Child *child = children->list->pdata[i - 1];
        check_time(child);
        if (!has_ended(child))
            continue;
        g_ptr_array_steal_index_fast(children->list, i - 1);
        children->finished(child->number, &child->outcome, children->user_data);
        child_free(child);
    }
}
