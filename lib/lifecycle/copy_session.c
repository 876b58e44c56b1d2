/* SPDX-License-Identifier: MIT */
#include "copy_session.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/session_client.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

/* The agent of an earlier berth does not know WIRE_GUEST_COPY. */
#define STATUS_USAGE   2
#define STATUS_SIGPIPE (128 + SIGPIPE)

struct BerthCopySession {
    const BerthCopyOptions *copy;
    const BerthCopyPlace *place;
    GPtrArray *argv;
    int input;
    int output;
    int errors;
    GThread *thread;
    int status;
    GError *error;
};

static gpointer run_session(gpointer data)
{
    BerthCopySession *session = data;
    const BerthCommand command = {
        .argv = (const char *const *)session->argv->pdata,
        .user = session->copy->user,
        .input = session->input,
        .output = session->output,
        .errors = session->errors,
        .terminal = -1,
        .warn = session->copy->line,
        .user_data = session->copy->user_data,
    };
    session->status =
        berth_session_client_run(session->place->connection, &command, &session->error);
    berth_fd_close(&session->input);
    berth_fd_close(&session->output);
    return NULL;
}

/* Signals are the caller's: they interrupt what it waits for. */
static GThread *start_thread(BerthCopySession *session)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    GThread *thread = g_thread_new("copy", run_session, session);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread;
}

BerthCopySession *berth_copy_session_start(const BerthCopyOptions *copy,
                                           const BerthCopyPlace *place, const char *const *argv,
                                           int input, int output)
{
    BerthCopySession *session = g_new0(BerthCopySession, 1);
    session->copy = copy;
    session->place = place;
    session->input = input;
    session->output = output;
    session->errors = open("/dev/null", O_WRONLY | O_CLOEXEC);
    session->argv = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(session->argv, g_strdup(WIRE_GUEST_PROGRAM));
    g_ptr_array_add(session->argv, g_strdup(WIRE_GUEST_COPY));
    for (; *argv != NULL; argv++)
        g_ptr_array_add(session->argv, g_strdup(*argv));
    g_ptr_array_add(session->argv, NULL);
    berth_fd_set_nonblocking(output, true); /* the session may then write more at once */
    session->thread = start_thread(session);
    return session;
}

static bool check_end(BerthCopySession *session, GError **error)
{
    const char *name = session->place->name;
    if (session->status == STATUS_USAGE) {
        g_autofree char *hint =
            g_strdup_printf("restart it: \"berth terminate %s\", then try again", name);
        berth_error_set(error, BERTH_ERROR_GUEST, "cp.old-guest", hint,
                        "%s was started by a version of berth that cannot copy files", name);
        return false;
    }
    if (session->error != NULL) {
        g_propagate_error(error, g_steal_pointer(&session->error));
        return false;
    }
    if (session->status == 0 || session->status == STATUS_SIGPIPE)
        return true; /* SIGPIPE: the receiver ended first, and reports why */
    berth_error_set(error, BERTH_ERROR_GUEST, "cp.ended", NULL, "%s ended the copy with status %d",
                    name, session->status);
    return false;
}

bool berth_copy_session_end(BerthCopySession *session, bool now, GError **error)
{
    if (session == NULL)
        return true;
    if (now)
        shutdown(session->place->connection, SHUT_RDWR); /* the keeper hangs the session up */
    g_thread_join(session->thread);
    bool ok = now || check_end(session, error);
    berth_fd_close(&session->errors);
    g_ptr_array_unref(session->argv);
    g_clear_error(&session->error);
    g_free(session);
    return ok;
}
