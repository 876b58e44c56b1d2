/* SPDX-License-Identifier: MIT
 *
 * session_client — one command in an instance, the client's end: copies between three file
 * descriptors and a session's stream until the command has ended and all its output is written.
 *
 * Blocking. Never changes the flags of the descriptors it is given: they may be shared with other
 * processes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    const char *const *argv;        /* NULL or empty: the user's shell */
    const char *const *environment; /* "K=V", may be NULL; added to what the guest sets */
    const char *user;               /* NULL: the default user */
    const char *cwd;                /* in the guest; NULL: the user's home */
    const char *const *offered;     /* "K=V"; the guest accepts those it supports */
    bool tty;                       /* a pseudo-terminal in the guest */
    bool pipe_input, pipe_output, pipe_errors; /* with tty: this stream is a pipe */
    bool cooked;         /* our terminal edits lines, echoes, and maps NL to CR NL */
    bool login;          /* a login shell; only without argv, or with shell */
    bool shell;          /* argv is a command line for the user's shell, and its arguments */
    bool bare;           /* no login session; works as soon as the agent answers */
    guint rows, columns; /* of the terminal, with tty */

    int input;    /* read until EOF (a file: see read_ahead.h); -1: empty */
    int output;   /* the command's stdout; a non-blocking one is written faster */
    int errors;   /* the command's stderr */
    int terminal; /* for terminal output if only the command's stdin is one; -1: discard it */

    /* A line for the user; may be NULL. */
    void (*warn)(const char *text, gpointer user_data);
    /* A notice of an event in the distro, such as an opened port. May be NULL. */
    void (*notice)(const char *text, gpointer user_data);

    /* Called when the command has begun; may be NULL. Until then signals have their usual effect.
     * Returns a signalfd (taken) of the signals to pass on, or -1. SIGWINCH becomes a resize with
     * @get_size's answer. So does SIGCONT, and a move to the foreground, after a call of @resumed
     * (may be NULL): a shell may have had the terminal meanwhile. */
    int (*begun)(gpointer user_data);
    /* Called before an error is returned because SIGINT, SIGTERM, SIGHUP or SIGQUIT could not be
     * delivered: the guest does not answer, or the command has ended. May be NULL. */
    void (*interrupted)(int number, gpointer user_data);
    void (*get_size)(guint *ret_rows, guint *ret_columns, gpointer user_data);
    void (*resumed)(gpointer user_data);
    gpointer user_data;
} BerthCommand;

/* Run @command over the keeper connection @fd. Returns the exit status as a shell does
 * (0..255, 128+n for signal n; 126 and 127 with @error set to why); or -1 with @error.
 * Errors: BERTH_ERROR_GUEST, "session.*", and those of the start (control.h); "session.too-long"
 * when the command's words and environment are more than the guest's kernel takes (126);
 * BERTH_ERROR_NOT_RUNNING, "session.not-begun" when the instance went away before the command
 * began: nothing was read of the input, so it may be tried again. */
int berth_session_client_run(int fd, const BerthCommand *command, GError **error);

G_END_DECLS
