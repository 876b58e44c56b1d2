/* SPDX-License-Identifier: MIT
 *
 * move — shared by berth move and WSL's spelling of it.
 */
#pragma once

#include "command.h"

/* Move the disk of @name to @directory, or back to the default one if NULL. Returns an exit status,
 * or -1 with @error. */
int move_run(Invocation *invocation, const char *name, const char *directory, GError **error);
