/* SPDX-License-Identifier: MIT
 *
 * move — what berth move and WSL's spelling of it share.
 */
#pragma once

#include "command.h"

/* Move the disk of @name to @directory, or with NULL back. An exit status, or -1 with @error. */
int move_run(Invocation *invocation, const char *name, const char *directory, GError **error);
