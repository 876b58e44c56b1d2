/* SPDX-License-Identifier: MIT
 *
 * online — prints what can be installed: berth list --online, and berth install without a name.
 */
#pragma once

#include "command.h"

/* Print the list, as JSON with --json, as names with --quiet. Returns the exit status. */
int online_print(Invocation *invocation, GError **error);
