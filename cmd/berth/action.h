/* SPDX-License-Identifier: MIT
 *
 * action — what a command of several does, by its first word: berth cache prune, berth host allow.
 */
#pragma once

#include "command.h"

typedef struct {
    const char *word;
    int min_arguments, max_arguments; /* the word included; -1: any number */
    const char *no_option;            /* of the command's, the one it does not have; or NULL */
    int (*run)(Invocation *invocation, GError **error);
} Action;

/* The action named by @invocation's first argument, of those in @actions, which ends with a row
 * without a word. @usage is the hint for who names none or gives it the wrong arguments.
 * Errors: "usage.value", "usage.arguments"; the action's own. */
int action_run(const Action *actions, const char *usage, Invocation *invocation, GError **error);
