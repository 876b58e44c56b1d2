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
    const char *const *offered;     /* "K=V" that the guest takes where they mean something */
    bool tty;                       /* a pseudo-terminal in the guest */
    bool pipe_input, pipe_output, pipe_errors; /* with tty: this stream is a pipe all the same */
    bool cooked;         /* ours edits lines, shows what is typed, and adds returns */
    bool login;          /* a login shell; only without argv, or with shell */
    bool shell;          /* argv is a line for the user's shell, and its arguments */
    bool bare;           /* no login session, whatever state the guest is in */
    guint rows, columns; /* of the terminal, with tty */

    int input;    /* read until EOF, of a file no more than the command takes; -1: it is empty */
    int output;   /* the command's stdout */
    int errors;   /* the command's stderr */
    int terminal; /* what a terminal shows that is only the command's stdin; -1: nobody sees it */

    /* A line for the user; may be NULL. */
    void (*warn)(const char *text, gpointer user_data);
    /* The same of what happens in the distro meanwhile: a port was opened. May be NULL. */
    void (*notice)(const char *text, gpointer user_data);

    /* Called when the command has begun; may be NULL. Until then signals do to us what they do to
     * any program. It returns a signalfd of those to pass on from then on, which is closed here,
     * or -1. SIGWINCH becomes a resize: @get_size is asked. So does SIGCONT, after @resumed (may be
     * NULL) was called: a shell may have had the terminal meanwhile. That also happens when we come
     * from its background to the front. */
    int (*begun)(gpointer user_data);
    /* Called before an error is returned because of a signal (SIGINT, SIGTERM, SIGHUP, SIGQUIT)
     * that the guest could not be given: it does not answer, or its command has ended. May be NULL.
     */
    void (*interrupted)(int number, gpointer user_data);
    void (*get_size)(guint *ret_rows, guint *ret_columns, gpointer user_data);
    void (*resumed)(gpointer user_data);
    gpointer user_data;
} BerthCommand;

/* Run @command over the keeper connection @fd. Returns the exit status as a shell would give it
 * (0..255, 128+n for signal n; 126 and 127 with @error set to why); or -1 with @error.
 * Errors: BERTH_ERROR_GUEST, "session.*", and those of the start (control.h); "session.too-long"
 * when the command's words and environment are more than the guest's kernel takes (126);
 * BERTH_ERROR_NOT_RUNNING, "session.not-begun" when the instance went away before the command
 * began: nothing was read of the input, so it may be tried again. */
int berth_session_run(int fd, const BerthCommand *command, GError **error);

G_END_DECLS
