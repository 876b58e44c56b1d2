/* SPDX-License-Identifier: MIT
 *
 * session_terminal — what `berth run` and `berth shell` share: their options, and carrying a
 * command out between this terminal and the guest.
 */
#pragma once

#include "command.h"
#include "terminal.h"

#define SESSION_FAILURE 125

/* Rows for a command's table of options. */
#define SESSION_OPTIONS                                                                            \
    {"user", 'u', "USER", "Run as this user instead of the default one"},                          \
        {"cd", 0, "DIR", "Start in this directory of the distro, not in the user's home"},         \
    {                                                                                              \
        "env", 0, "NAME[=VALUE]", "Set a variable, or pass one on; may be repeated"                \
    }

typedef struct {
    bool no_input;           /* the command's input is empty; ours is not touched */
    const char *distro;      /* NULL: the default one */
    const char *const *argv; /* NULL or empty: the user's shell */
    bool login;              /* it is a login shell; without argv, or with @shell */
    bool shell;              /* argv is one line for the user's shell */
    TerminalWish terminal;
} SessionCommand;

/* Carry @run out over @connection with the terminal lent to it that @plan says; its status. */
int session_run_on_terminal(int connection, BerthRun *run, const TerminalPlan *plan,
                            GError **error);

/* Run @command and return its status. */
int session_run(Invocation *invocation, const SessionCommand *command, GError **error);
