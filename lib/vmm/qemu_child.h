/* SPDX-License-Identifier: MIT
 *
 * qemu_child — a QEMU as a child process: started with its descriptors in place, tied to our life,
 * heard out and reaped. What qemu_process (on an event loop) and accel (blocking) have in common.
 *
 * Initialise with BERTH_CHILD_INIT; berth_child_clear kills and reaps what still lives. The child
 * dies with the thread that started it (PR_SET_PDEATHSIG), so that is to be the main one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
    pid_t pid;            /* 0: none, or reaped */
    int pidfd;            /* readable when it has ended */
    int errors;           /* our end of its standard error, non-blocking; -1 after its end */
    GString *errors_tail; /* the end of what it wrote there, bounded */
    char *emulator;       /* as it calls itself in messages */
} BerthChild;

#define BERTH_CHILD_INIT                                                                           \
    {                                                                                              \
        .pidfd = -1, .errors = -1                                                                  \
    }

/* Start @argv with each of @sources as the descriptor of the same place in @targets; no other is
 * inherited but an empty standard input, a discarded output and the errors. The sources stay ours.
 * Errors: BERTH_ERROR_NOT_FOUND, "machine.no-qemu"; others, "machine.qemu.*". */
bool berth_child_spawn(BerthChild *child, char **argv, const int *sources, const int *targets,
                       gsize count, GError **error);

/* Take in what it has written on standard error. False once there will be no more. */
bool berth_child_read_errors(BerthChild *child);

/* The line that best says why it stopped: the last error in QEMU's name rather than the advice
 * below it, an assertion or a warning. One line of valid UTF-8, "" if it errors_tail nothing. Free
 * with g_free. */
char *berth_child_last_words(const BerthChild *child);

void berth_child_kill(BerthChild *child);

/* Wait for it to end; its status as waitpid gives it. All it had written has been heard then. */
int berth_child_reap(BerthChild *child);

void berth_child_clear(BerthChild *child);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthChild, berth_child_clear)

G_END_DECLS
