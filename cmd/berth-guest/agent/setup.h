/* SPDX-License-Identifier: MIT
 *
 * setup — what the agent's process needs before it serves: its limits and its signals.
 */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

/* Commands get the usual limits, *@ret_files; the agent itself needs five descriptors for each
 * session. */
void setup_limits(bool in_machine, struct rlimit *ret_files);

/* Ignore what would end the agent. Returns a signalfd of SIGCHLD, or -1 with errno. */
int setup_signals(void);
