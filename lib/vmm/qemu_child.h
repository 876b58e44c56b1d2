/* SPDX-License-Identifier: MIT
 *
 * qemu_child — starts QEMU as a child process with given descriptors, collects its standard error
 * and reaps it. Shared by qemu_process (on an event loop) and probe (blocking).
 *
 * Initialise with BERTH_QEMU_CHILD_INIT; berth_qemu_child_clear kills and reaps a running child.
 * The child dies with the thread that started it (PR_SET_PDEATHSIG): start it from the main thread.
 * SIGTERM does not end it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
    pid_t pid;            /* 0: none, or reaped */
    int pidfd;            /* readable when it has exited */
    int errors;           /* our end of its standard error, non-blocking; -1 after EOF */
    GString *errors_tail; /* the last bytes of its standard error, bounded */
    char *emulator;       /* its name in messages */
} BerthQemuChild;

#define BERTH_QEMU_CHILD_INIT                                                                      \
    {                                                                                              \
        .pidfd = -1, .errors = -1                                                                  \
    }

/* Start @argv with each descriptor of @sources dup'ed to that of @targets. The child also gets an
 * empty standard input, a discarded output and standard error to `errors`; it inherits nothing
 * else. The sources stay the caller's. Errors: BERTH_ERROR_NOT_FOUND, "machine.no-qemu"; others,
 * "machine.qemu.*". */
bool berth_qemu_child_spawn(BerthQemuChild *child, char **argv, const int *sources,
                            const int *targets, gsize count, GError **error);

/* Read what is available of its standard error. False at EOF. */
bool berth_qemu_child_read_errors(BerthQemuChild *child);

/* The line that best explains its exit: the last error with QEMU's name, otherwise an assertion,
 * other line or warning. One line of valid UTF-8, "" if it wrote nothing. Free with g_free. */
char *berth_qemu_child_last_message(const BerthQemuChild *child);

void berth_qemu_child_kill(BerthQemuChild *child);

/* Wait for its exit and read the rest of its standard error. Returns the status as waitpid. */
int berth_qemu_child_reap(BerthQemuChild *child);

void berth_qemu_child_clear(BerthQemuChild *child);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthQemuChild, berth_qemu_child_clear)

G_END_DECLS
