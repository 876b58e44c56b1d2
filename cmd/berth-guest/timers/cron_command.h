/* SPDX-License-Identifier: MIT
 *
 * cron_command — whether the command of a cron job would do nothing worth a wake.
 *
 * Distros install jobs that run every hour, or quarter of one, whether or not there is anything
 * for them to do. Two forms of theirs are understood: a test of a file in front, and run-parts of a
 * directory. Any other command does something.
 */
#pragma once

#include <stdbool.h>

/* @root is a descriptor of the distro's root directory. */
bool cron_command_is_idle(int root, const char *command);
