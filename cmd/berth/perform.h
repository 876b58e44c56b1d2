/* SPDX-License-Identifier: MIT
 *
 * perform — runs a command line by the table of commands: for `berth`, and for each call of a tool
 * of `berth mcp`.
 */
#pragma once

#include "command.h"

/* Parse @argv into @invocation and run the command. Returns its exit status, or -1 with @error;
 * with some statuses, too, @error says why. */
int perform(int argc, char **argv, Invocation *invocation, GError **error);

/* The message of @error with the command and what it worked on: "run debian: ...". Free with
 * g_free. */
char *perform_describe(const Invocation *invocation, const GError *error);

/* Print @error with its code and hint to standard error. */
void perform_print_error(const Invocation *invocation, const GError *error);
