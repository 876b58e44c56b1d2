/* SPDX-License-Identifier: MIT
 *
 * plan — the next thing that the distro wants to do by itself, of all that can be asked.
 */
#pragma once

#include "due.h"

#include <stdbool.h>

/* How far it looks ahead. The host refuses what is later. */
#define PLAN_DAYS 400

/* Fill in *@ret_due: the next timer of systemd's, job of cron's or of at's of the distro at @root ("": "/").
 * Takes a few seconds at most. For a child process: it changes and restores TZ. False: a manager
 * did not answer, and its timers are left out. */
bool plan_next(const char *root, Due *ret_due);
