/* SPDX-License-Identifier: MIT
 *
 * children — the calls that run: a process each, forked from this one, which must have no threads.
 *
 * A process of its own makes a call as independent of the others as a command is: it may block, be
 * ended by a signal, or crash. Its input is a file without a name, its output goes through pipes
 * that are read as fast as it writes; what is over the limit is dropped.
 */
#pragma once

#include "call.h"

#include <poll.h>

G_BEGIN_DECLS

typedef struct {
    int status;        /* exit status; -1: see error */
    GError *error;     /* or NULL */
    char *description; /* of the error, as the command prints it; or NULL */
} BerthPerformed;

/* Run the command line @argv in this process, with its streams. */
typedef BerthPerformed (*BerthPerform)(char **argv);

typedef struct BerthChildren BerthChildren;

typedef void (*BerthChildFinished)(guint number, const BerthMcpOutcome *outcome,
                                   gpointer user_data);

BerthChildren *berth_children_new(BerthPerform perform, BerthChildFinished finished,
                                  gpointer user_data);
/* There must be no children any more. NULL is allowed. */
void berth_children_free(BerthChildren *children);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthChildren, berth_children_free)

/* Begin @call. One that cannot begin has its outcome in the next berth_children_handle. */
void berth_children_begin(BerthChildren *children, guint number, const BerthMcpCall *call);

/* Ask it to end; after a grace period it is killed. */
void berth_children_cancel(BerthChildren *children, guint number);
void berth_children_cancel_all(BerthChildren *children);

/* Append to @polled (of struct pollfd) what to wait for. Returns the time until a limit, for poll,
 * in milliseconds; -1: there is none. */
int berth_children_poll(const BerthChildren *children, GArray *polled);

/* Do what can be done without waiting; calls `finished` for those that ended. */
void berth_children_handle(BerthChildren *children);

guint berth_children_count(const BerthChildren *children);

G_END_DECLS
