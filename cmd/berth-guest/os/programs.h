/* SPDX-License-Identifier: MIT
 *
 * programs — berth's commands in sessions: this program, copied once and linked under each name,
 * in a directory that sessions have in PATH.
 */
#pragma once

#include <stdbool.h>

#define PROGRAMS_DIRECTORY "/run/berth/bin"

/* Install this program as @name. 0, or -errno. */
int programs_install(const char *name);

/* Whether this process was started as @name. */
bool programs_is(const char *argv0, const char *name);
