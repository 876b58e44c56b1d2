/* SPDX-License-Identifier: MIT
 *
 * program — run one of the distro's programs to its end while the machine comes up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Where @name is on PROGRAM_PATH, in @path. */
bool program_find(const char *name, char *path, size_t size);

/* Run @argv, whose first is a path, with an empty input, for at most @limit_sec: then it is killed.
 * @said gets the last line it wrote. Its exit status (128+n for signal n), or -errno; -ETIMEDOUT.
 */
int program_run(const char *const argv[], int limit_sec, char *said, size_t size);

/* In a child: plain signals, a session of its own, an empty input, and @output (if not -1) as both
 * outputs. */
void program_become(int output);
