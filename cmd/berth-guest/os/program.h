/* SPDX-License-Identifier: MIT
 *
 * program — runs a program of the distro synchronously during the boot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Find @name on PROGRAM_PATH and store its path. False: not found. */
bool program_find(const char *name, char *path, size_t size);

/* Run @argv (argv[0] is a path) with empty input; kill it after @limit_sec. Stores the last line of
 * its output. Returns its exit status (128+n for signal n), or -errno; -ETIMEDOUT: killed. */
int program_run(const char *const argv[], int limit_sec, char *last_line, size_t size);

/* In a child: reset signals, start a new process session, and set empty input and @output, unless
 * -1, as standard output and error. */
void program_become(int output);
