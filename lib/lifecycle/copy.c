/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include "copy_problems.h"
#include "copy_session.h"

#include "base/error.h"
#include "base/fd.h"
#include "transfer/receiver.h"
#include "transfer/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define PIPE_SIZE (1 << 20)
/* How often a wait asks whether to go on; a signal may come to us between the question and it. */
#define ASK_MSEC 200

typedef struct {
    const BerthCopyOptions *copy;
    BerthCopyProblems problems;
    int out; /* to a distro that receives; -1: none, or closed */
    int in;  /* from a distro that sends, or the reports of one that receives */
    TransferReader reports;
    bool begun;    /* the reports have */
    bool complete; /* and their END has come */
    guint64 done, total;
    BerthCopySession *sessions[2]; /* of the sender, and the receiver; NULL: this host */
} Copy;

/* ---- waiting ---- */

static bool goes_on(const Copy *state)
{
    const BerthCopyOptions *copy = state->copy;
    return copy->progress == NULL || copy->progress(state->done, state->total, copy->user_data);
}

static bool on_progress(void *data, uint64_t done, uint64_t total)
{
    Copy *state = data;
    state->done = done;
    state->total = total;
    return goes_on(state);
}

/* Wait for @polls. 0 or -ECANCELED. */
static int wait_for(const Copy *state, struct pollfd *polls, nfds_t count)
{
    for (;;) {
        int ready = poll(polls, count, ASK_MSEC);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (!goes_on(state))
            return -ECANCELED;
    }
}

static ptrdiff_t read_input(void *data, void *bytes, size_t size)
{
    Copy *state = data;
    struct pollfd polls = {state->in, POLLIN, 0};
    int result = wait_for(state, &polls, 1);
    if (result < 0)
        return result;
    ssize_t count = read(state->in, bytes, size);
    return count < 0 ? -errno : count;
}

static void on_report(void *data, const TransferProblem *problem)
{
    Copy *state = data;
    berth_copy_problems_add(&state->problems, problem);
}

/* ---- the reports of a distro that receives ---- */

static int handle_report(Copy *state, const WireFrame *frame)
{
    TransferProblem problem;
    int result;
    if (!state->begun) {
        state->begun = true;
        return transfer_check_begin(frame);
    }
    if (frame->type == TRANSFER_END && frame->size == 0) {
        state->complete = true;
        return 0;
    }
    if (frame->type != TRANSFER_PROBLEM)
        return -EPROTO;
    result = transfer_get_problem(frame, &problem);
    if (result == 0)
        on_report(state, &problem);
    return result;
}

/* Handle the reports that have arrived. 0; -ENODATA at their end; or another -errno. */
static int handle_reports(Copy *state)
{
    WireFrame frame;
    for (;;) {
        int result = transfer_next(&state->reports, &frame);
        if (result == -EAGAIN)
            return 0;
        if (result == 0)
            result = handle_report(state, &frame);
        if (result < 0)
            return result;
    }
}

static ptrdiff_t read_reports(void *data, void *bytes, size_t size)
{
    Copy *state = data;
    struct pollfd polls = {state->in, POLLIN, 0};
    if (poll(&polls, 1, 0) <= 0)
        return -EAGAIN;
    ssize_t count = read(state->in, bytes, size);
    return count < 0 ? -errno : count;
}

/* Handle the reports until their end, and wait for it. */
static int handle_last_reports(Copy *state)
{
    int result = 0;
    while (result == 0) {
        struct pollfd polls = {state->in, POLLIN, 0};
        result = wait_for(state, &polls, 1);
        if (result == 0)
            result = handle_reports(state);
    }
    return result == -ENODATA && state->complete ? 0 : result;
}

/* A TransferWrite that handles reports as they arrive: a receiver that cannot write its report does
 * not read either. */
static int write_output(void *data, const void *bytes, size_t size)
{
    Copy *state = data;
    const char *next = bytes;
    while (size > 0) {
        struct pollfd polls[] = {{state->out, POLLOUT, 0}, {state->in, POLLIN, 0}};
        int result = wait_for(state, polls, G_N_ELEMENTS(polls));
        if (result == 0 && polls[1].revents != 0)
            result = handle_reports(state);
        if (result < 0)
            return result;
        ssize_t written = polls[0].revents != 0 ? write(state->out, next, size) : 0;
        if (written < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        next += MAX(written, 0);
        size -= (size_t)MAX(written, 0);
    }
    return 0;
}

/* ---- the three ways ---- */

/* The ends are -1 on failure. */
static int make_pipe(int *ret_read, int *ret_write)
{
    int pair[2] = {-1, -1};
    int result = pipe2(pair, O_CLOEXEC) < 0 ? -errno : 0;
    *ret_read = pair[0];
    *ret_write = pair[1];
    if (result == 0)
        fcntl(pair[1], F_SETPIPE_SZ, PIPE_SIZE); /* more than 64 KiB where it may be */
    return result;
}

/* Start the sender in a distro, which writes to @output (taken). */
static void start_sender(Copy *state, int output)
{
    const BerthCopyOptions *copy = state->copy;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "send");
    if (copy->recursive)
        g_ptr_array_add(argv, (gpointer) "-r");
    g_ptr_array_add(argv, (gpointer) "--");
    for (const char *const *path = copy->sources; *path != NULL; path++)
        g_ptr_array_add(argv, (gpointer)*path);
    g_ptr_array_add(argv, NULL);
    state->sessions[0] =
        berth_copy_session_start(copy, &copy->from, (const char *const *)argv->pdata, -1, output);
}

static bool has_several(const BerthCopyOptions *copy)
{
    return copy->sources[1] != NULL;
}

static void start_receiver(Copy *state, int input, int output)
{
    const BerthCopyOptions *copy = state->copy;
    const char *one[] = {"receive", "--", copy->target, NULL};
    const char *several[] = {"receive", "-d", "--", copy->target, NULL};
    state->sessions[1] =
        berth_copy_session_start(copy, &copy->to, has_several(copy) ? several : one, input, output);
}

static int copy_from_distro(Copy *state)
{
    const BerthCopyOptions *copy = state->copy;
    int output;
    int result = make_pipe(&state->in, &output);
    if (result < 0)
        return result;
    start_sender(state, output);
    const TransferReceive receive = {
        .path = copy->target,
        .directory = has_several(copy),
        .read = read_input,
        .report = on_report,
        .progress = on_progress,
        .data = state,
    };
    return transfer_receive(&receive);
}

static int copy_to_distro(Copy *state)
{
    const BerthCopyOptions *copy = state->copy;
    berth_autofd int input = -1;
    int output = -1;
    int result = make_pipe(&input, &state->out);
    if (result == 0)
        result = make_pipe(&state->in, &output);
    if (result < 0)
        return result;
    berth_fd_set_nonblocking(state->out, true);
    start_receiver(state, berth_fd_steal(&input), output);
    const TransferSend send = {
        .paths = (char *const *)copy->sources,
        .recursive = copy->recursive,
        .write = write_output,
        .report = on_report,
        .progress = on_progress,
        .data = state,
    };
    result = transfer_send(&send);
    berth_fd_close(&state->out);
    return result == 0 || result == -EPIPE ? handle_last_reports(state) : result;
}

static int copy_between(Copy *state)
{
    berth_autofd int input = -1, between = -1, output = -1;
    int result = make_pipe(&input, &between);
    if (result == 0)
        result = make_pipe(&state->in, &output);
    if (result < 0)
        return result;
    start_sender(state, berth_fd_steal(&between));
    start_receiver(state, berth_fd_steal(&input), berth_fd_steal(&output));
    return handle_last_reports(state);
}

/* ---- how it ended ---- */

/* The distro sent a stream of another version. */
static void set_version_error(const BerthCopyOptions *copy, GError **error)
{
    const char *name = copy->to.connection >= 0 ? copy->to.name : copy->from.name;
    g_autofree char *hint =
        g_strdup_printf("restart it: \"berth terminate %s\", then try again", name);
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "cp.old-guest", hint,
                    "%s was started by another version of berth", name);
}

static bool set_error(Copy *state, int result, GError **error)
{
    switch (-result) {
    case ECANCELED:
        berth_error_set(error, BERTH_ERROR_CANCELLED, "cp.interrupted", NULL, "interrupted");
        break;
    case EPROTO:
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "cp.protocol", NULL,
                        "the distro sent data that is not a stream of files");
        break;
    case EPROTONOSUPPORT:
        set_version_error(state->copy, error);
        break;
    case ENODATA:
        berth_error_set(error, BERTH_ERROR_GUEST, "cp.ended", NULL,
                        "the distro ended the copy before everything was copied");
        break;
    default:
        berth_error_set_errno(error, -result, "cp.stream", "copy");
    }
    return false;
}

/* Whether the stream ended because the sessions did: then they have the reason. */
static bool has_ended(int result)
{
    return result == 0 || result == -ENODATA;
}

/* True when all is copied. @result is of the transfer. */
static bool finish(Copy *state, int result, GError **error)
{
    g_autoptr(GError) first = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(state->sessions); i++) {
        g_autoptr(GError) problem = NULL;
        bool ok = berth_copy_session_end(state->sessions[i], !has_ended(result), &problem);
        if (!ok && first == NULL)
            first = g_steal_pointer(&problem);
    }
    if (result == -ECANCELED)
        return set_error(state, result, error);
    if (!berth_copy_problems_end(&state->problems, error))
        return false;
    if (first != NULL) {
        g_propagate_error(error, g_steal_pointer(&first));
        return false;
    }
    return result == 0 || set_error(state, result, error);
}

bool berth_copy_run(const BerthCopyOptions *copy, GError **error)
{
    Copy state = {
        .copy = copy,
        .problems = {.copy = copy},
        .out = -1,
        .in = -1,
        .reports = {.read = read_reports, .data = &state},
    };
    int result = copy->from.connection < 0 ? copy_to_distro(&state)
                 : copy->to.connection < 0 ? copy_from_distro(&state)
                                           : copy_between(&state);
    berth_fd_close(&state.in);
    berth_fd_close(&state.out);
    bool ok = finish(&state, result, error);
    transfer_reader_clear(&state.reports);
    berth_copy_problems_clear(&state.problems);
    return ok;
}
