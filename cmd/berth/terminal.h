/* SPDX-License-Identifier: MIT
 *
 * terminal — lends the user's terminal to a command in a guest: raw while it runs, and restored on
 * every way out.
 *
 * A process has one terminal, so this module keeps global state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { TERMINAL_LIKE_OURS, TERMINAL_ALWAYS, TERMINAL_NEVER } TerminalMode;

/* How the standard streams of a command are connected. */
typedef struct {
    bool tty;      /* the command gets a terminal */
    bool pipes[3]; /* by descriptor: this standard stream is a pipe instead */
    bool raw;      /* pass every key through unprocessed */
    int fd;        /* our terminal, or -1 */
} TerminalPlan;

/* Plan by @mode. With TERMINAL_LIKE_OURS the command gets a terminal if we have one. It is made raw
 * only if no other program may need it: not in the background, nor beside a pager at the other end
 * of a pipe. */
void terminal_plan(TerminalMode mode, TerminalPlan *ret_plan);

/* Print a line to standard error, correctly also while the terminal is raw. */
void terminal_print(const char *before, const char *text);

/* Make the terminal raw until terminal_restore, exit() or a fatal signal. Does nothing if standard
 * input is not a terminal. */
void terminal_make_raw(void);
void terminal_restore(void);

/* Call after SIGCONT, since a shell may have changed the terminal meanwhile: saves the attributes
 * to be restored anew and makes it raw again, if it was raw and we are in the foreground. */
void terminal_resume(gpointer unused);

/* The size of the terminal, or 24 by 80. */
void terminal_get_size(guint *ret_rows, guint *ret_columns, gpointer unused);

/* Block the signals that the command should get instead of us, and SIGWINCH and SIGCONT, and return
 * a signalfd for them, or -1 with errno. Ignored signals stay ignored. */
int terminal_open_signals(void);
