/* SPDX-License-Identifier: MIT
 *
 * session_terminal — shared by `berth run` and `berth shell`: their options, and running a command
 * between this terminal and the guest.
 */
#pragma once

#include "command.h"
#include "terminal.h"

#define SESSION_FAILURE 125

/* Rows for a command's table of options. */
#define SESSION_OPTIONS                                                                            \
    {"user", 'u', "USER", "Run as this user instead of the default one"},                          \
        {"cd", 0, "DIR", "Start in this directory ('~': the user's home)"},                        \
    {                                                                                              \
        "env", 0, "NAME[=VALUE]", "Set a variable, or pass one on; may be repeated"                \
    }

typedef struct {
    bool no_input;           /* the command's input is empty; ours is not read */
    const char *distro;      /* NULL: the default distro */
    const char *template;    /* the distro is a throw-away clone of this one; or NULL */
    bool isolated;           /* it is started without access to the host */
    const char *user;        /* NULL: that of --user, else the default one */
    const char *const *argv; /* NULL or empty: the user's shell */
    bool login; /* run it, or the shell if argv is empty or @shell is set, as a login shell */
    bool shell; /* argv is one line for the user's shell */
    TerminalMode terminal;
} SessionCommand;

/* Run @run over @connection, with the terminal set up as @plan says. Returns its exit status. */
int session_run_on_terminal(int connection, BerthRun *run, const TerminalPlan *plan,
                            GError **error);

/* Connect, starting the distro if necessary, run @command and return its exit status. */
int session_run(Invocation *invocation, const SessionCommand *command, GError **error);
