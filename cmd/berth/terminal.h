/* SPDX-License-Identifier: MIT
 *
 * terminal — the user's terminal, lent to a command in a guest: raw while it runs, as it was
 * afterwards, whatever happens.
 *
 * There is one terminal, so this module keeps state of its own.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { TERMINAL_LIKE_OURS, TERMINAL_ALWAYS, TERMINAL_NEVER } TerminalWish;

/* Which of a command's streams are a terminal. */
typedef struct {
    bool tty;      /* there is one */
    bool pipes[3]; /* these of the streams are none */
    bool raw;      /* every key is passed on as it is */
    int fd;        /* ours, or -1 */
} TerminalPlan;

/* As ours are, all of them, or none. Keys are only taken raw where no other program may want our
 * terminal: not from its background, and not beside a pager at the other end of a pipe. */
void terminal_plan(TerminalWish wish, TerminalPlan *ret_plan);

/* A line for the user, whether the terminal is raw or not. */
void terminal_print(const char *before, const char *text);

/* Pass every key on as it is, until terminal_restore, exit() or a fatal signal. Nothing when
 * standard input is no terminal. */
void terminal_make_raw(void);
void terminal_restore(void);

/* After a pause, in which a shell may have used the terminal: raw again if it was, and if it is
 * ours again. How it is otherwise is what will be restored. */
void terminal_resume(gpointer unused);

/* The size of the terminal, or 24 by 80. */
void terminal_get_size(guint *ret_rows, guint *ret_columns, gpointer unused);

/* A signalfd with the signals a command should get instead of us, and SIGWINCH and SIGCONT, which
 * are blocked from now on; or -1 with errno. One that is ignored stays so. */
int terminal_take_signals(void);
