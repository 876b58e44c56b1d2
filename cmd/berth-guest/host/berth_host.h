/* SPDX-License-Identifier: MIT
 *
 * berth_host — the commands in sessions that use the host: `berth-host CMD ARG...` runs a command
 * there, with this process's streams, terminal, signals and working directory; `berth-open` and
 * `xdg-open` open a URL; `berth-copy` and `berth-paste` use the clipboard. os/programs.h installs
 * them.
 */
#pragma once

#include <stdbool.h>

/* The names of all, with NULL at the end. */
extern const char *const berth_host_names[];

/* Whether this process was started as one of them. */
bool berth_host_is(const char *argv0);

/* Returns the exit status: the command's, 128 and the signal that ended it, or 125 to 127 as env(1)
 * has them. */
int berth_host_run(int argc, char **argv);

/* Relay standard input and output to the ssh agent of the host. Returns the exit status. */
int berth_host_ssh_agent(void);

/* The same with gpg's. */
int berth_host_gpg_agent(void);
