/* SPDX-License-Identifier: MIT
 *
 * resize — what berth resize and WSL's spelling of it share.
 */
#pragma once

#include "command.h"

/* Make the disk of @name as large as @size says. An exit status, or -1 with @error. */
int resize_run(Invocation *invocation, const char *name, const char *size, GError **error);
