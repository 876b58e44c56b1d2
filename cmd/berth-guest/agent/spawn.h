/* SPDX-License-Identifier: MIT
 *
 * spawn — start one command as the distro's user would: a new process session, pipes and perhaps a
 * pseudo-terminal, groups, login session, environment, directory.
 *
 * All that can take long or fail (changing directory, finding the program) happens in the child
 * (child.c). It tells its end of the `status` pipe, a packet each, what the user should know and
 * why it gave up, and just closes it, by exec, when the command runs.
 */
#pragma once

#include "logins.h"

#include "distro/user.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_STREAMS 3 /* input, output, errors: as descriptors 0, 1, 2 and WireChannel */

/* How a command is to be started. Everything is borrowed. */
typedef struct {
    bool tty;                  /* a pseudo-terminal, which controls the command */
    bool pipes[SPAWN_STREAMS]; /* with a terminal: this stream is a pipe nevertheless */
    bool cooked; /* the client has a terminal that edits lines, shows them, and ends them */
    bool login;  /* a login shell; only with an empty argv or `shell` */
    bool shell;  /* argv is a line for the user's shell, and its arguments */
    const User *user;
    const char *cwd;          /* "" is the home directory; ~ and relative ones start there */
    uint16_t rows, columns;   /* of the terminal */
    char *const *argv;        /* empty: the user's shell */
    char *const *environment; /* "NAME=value" */
    char *const *offered;     /* the same, see offer.h */
    mode_t umask;
    struct rlimit files; /* RLIMIT_NOFILE of the command; the agent's own is higher */
    Login session;       /* the user's, already known; or */
    bool wait;           /* the child waits for spawn_admit */
    bool by_default;     /* @user is the default one, which the first run may change */
    bool first_run;      /* the distro's first-run command comes before: oobe.h */
} SpawnRequest;

/* The agent's ends, close-on-exec and non-blocking. */
typedef struct {
    pid_t pid; /* leads its session and process group */
    int status;
    int input;
    int outputs[SPAWN_STREAMS]; /* -1 for those that are the terminal, but for `terminal` */
    int terminal;               /* which of the outputs is the terminal's, or -1 */
    int gate;                   /* with `wait`, else -1 */
} Spawned;

/* What a child writes to `status`: 0 and a warning, or an exit status (125, 126, 127) and why it
 * gave up. Without an end. */
#define SPAWN_STATUS_MAX 1024

/* 0, or -errno. */
int spawn(const SpawnRequest *request, Spawned *ret_spawned);

/* Let the child at @gate go on, into the login session of @session's holder. */
void spawn_admit(int gate, const Login *session);

/* The child's ends: @standard become its 0, 1 and 2; @terminal is the terminal, or -1. */
typedef struct {
    int standard[SPAWN_STREAMS];
    int terminal;
    int status;
    int gate; /* or -1 */
} ChildEnds;

__attribute__((noreturn)) void child_run(const SpawnRequest *request, const ChildEnds *ends);
