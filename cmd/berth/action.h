/* SPDX-License-Identifier: MIT
 *
 * action — subcommands, chosen by a command's first argument: berth cache prune, berth host allow.
 */
#pragma once

#include "command.h"

typedef struct {
    const char *word;
    int min_arguments, max_arguments; /* including the word itself; -1: no limit */
    const char *rejected_option; /* an option of the command that this action rejects, or NULL */
    int (*run)(Invocation *invocation, GError **error);
} Action;

/* Run the action of @actions that @invocation's first argument names. @actions ends with a row
 * without a word. @usage is the hint of usage errors. Errors: "usage.value", "usage.arguments"; the
 * action's own. */
int action_run(const Action *actions, const char *usage, Invocation *invocation, GError **error);
