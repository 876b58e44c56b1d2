/* SPDX-License-Identifier: MIT
 *
 * berth_host — the command `berth-host CMD ARG...` in sessions: runs a command of the host, with
 * this process's streams, terminal, signals and working directory. os/programs.h installs it.
 */
#pragma once

#define BERTH_HOST_NAME "berth-host"

/* Returns the exit status: the command's, 128 and the signal that ended it, or 125 to 127 as env(1)
 * has them. */
int berth_host_run(int argc, char **argv);
