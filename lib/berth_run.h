/* SPDX-License-Identifier: MIT
 *
 * berth_run — commands in a running distro. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_instance.h"

G_BEGIN_DECLS

typedef struct {
    const char *const *argv;        /* NULL or empty: the user's shell */
    const char *const *environment; /* "K=V", added to what the guest sets; may be NULL */
    const char *const *offered; /* likewise, from the client's terminal and locale: set only if the
                                   distro supports the value */
    const char *user;           /* NULL: the distro's default user */
    const char *cwd;            /* in the guest; NULL: the user's home */
    bool login;                 /* a login shell; without argv, or with @shell */
    bool shell;                 /* argv is one line for the user's shell, then its arguments */
    bool bare;                  /* without a login session, in any state of the distro */

    bool tty;                                  /* a pseudo-terminal in the guest for the streams */
    bool pipe_input, pipe_output, pipe_errors; /* pipes instead, for these streams */
    bool cooked; /* our terminal is in cooked mode: it edits lines, echoes, and maps NL to CR NL */
    guint rows, columns; /* of the terminal */

    int input, output, errors; /* input may be -1: empty */
    int terminal; /* for terminal output if only the command's stdin is one; -1: discard it */
    /* Called when the command has begun. Returns a signalfd of the signals to pass on, which
     * berth_run closes, or -1; SIGWINCH means a new size. Until then signals have their usual
     * effect. May be NULL. */
    int (*begun)(gpointer user_data);
    /* Called before returning an error because a signal could not be delivered; may be NULL. */
    void (*interrupted)(int number, gpointer user_data);
    void (*get_size)(guint *ret_rows, guint *ret_columns, gpointer user_data);
    /* after SIGCONT or a return to the foreground; may be NULL */
    void (*resumed)(gpointer user_data);
    void (*warn)(const char *text, gpointer user_data); /* a line for the user; may be NULL */
    /* a notice about the distro, for a user with a terminal; may be NULL */
    void (*notice)(const char *text, gpointer user_data);
    gpointer user_data;
} BerthRun;

/* Run a command over a connection of berth_connect, once. Returns its exit status as a shell does:
 * 0..255, 128+n for signal n; 126 and 127, with @error set, if it could not be executed or found;
 * -1 with @error if it was not started. */
int berth_run(int connection, const BerthRun *run, GError **error);

G_END_DECLS
