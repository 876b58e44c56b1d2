/* SPDX-License-Identifier: MIT
 *
 * spawn — starts a command as a user of the distro: process session, pipes or a pseudo-terminal,
 * groups, login session, environment, directory.
 *
 * Steps that may be slow or fail (changing directory, finding the program) run in the child
 * (session_child.c). It reports warnings and its failure through the `status` pipe, one packet
 * each; exec closes the pipe, which means that the command runs.
 */
#pragma once

#include "logins.h"

#include "distro/user.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_STREAMS 3 /* input, output, errors: as descriptors 0, 1, 2 and WireChannel */

/* How to start a command. All pointers are borrowed. */
typedef struct {
    bool tty;                  /* make a pseudo-terminal, which becomes the controlling terminal */
    bool pipes[SPAWN_STREAMS]; /* with `tty`: this stream is a pipe all the same */
    bool cooked;               /* the client's terminal edits and echoes lines */
    bool login;                /* a login shell; only with an empty argv or `shell` */
    bool shell;                /* argv is a line for the user's shell, and its arguments */
    const User *user;
    const char *cwd;          /* "" is the home directory; ~ and relative ones start there */
    uint16_t rows, columns;   /* of the terminal */
    char *const *argv;        /* empty: the user's shell */
    char *const *environment; /* "NAME=value" */
    char *const *offered;     /* set if the distro supports them: offer.h */
    mode_t umask;
    struct rlimit files; /* RLIMIT_NOFILE of the command; the agent's own is higher */
    Login session;       /* the user's login session, unless `wait` */
    bool wait;           /* the child waits for spawn_admit */
    bool by_default;     /* @user is the default user, which the first run may change */
    bool first_run;      /* run the distro's first-run command before: oobe.h */
} SpawnRequest;

/* The agent's ends, close-on-exec and non-blocking. */
typedef struct {
    pid_t pid; /* leads its session and process group */
    int status;
    int input;
    int outputs[SPAWN_STREAMS]; /* -1: the terminal, whose output is outputs[terminal] */
    int terminal;               /* index of the terminal's output, or -1 */
    int barrier;                /* with `wait`, else -1 */
} Spawned;

/* Size of a packet on `status`: a byte, 0 for a warning or the exit status (125, 126, 127) of a
 * child that failed, and the message, not terminated. */
#define SPAWN_STATUS_MAX 1024

/* 0, or -errno. */
int spawn(const SpawnRequest *request, Spawned *ret_spawned);

/* Release the child at @barrier into the login session of @session's holder. */
void spawn_admit(int barrier, const Login *session);

/* The child's descriptors: @standard become 0, 1 and 2; @terminal is the terminal, or -1. */
typedef struct {
    int standard[SPAWN_STREAMS];
    int terminal;
    int status;
    int barrier; /* or -1 */
} ChildEnds;

__attribute__((noreturn)) void child_run(const SpawnRequest *request, const ChildEnds *ends);
