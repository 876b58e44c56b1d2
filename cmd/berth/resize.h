/* SPDX-License-Identifier: MIT
 *
 * resize — shared by berth resize and WSL's spelling of it.
 */
#pragma once

#include "command.h"

/* Resize the disk of @name to @size. Returns an exit status, or -1 with @error. */
int resize_run(Invocation *invocation, const char *name, const char *size, GError **error);
