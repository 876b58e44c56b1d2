/* SPDX-License-Identifier: MIT
 *
 * ssh — the guest's side of `berth ssh-proxy`, as commands of the agent's own program that the host
 * runs in sessions (WIRE_GUEST_PROGRAM in wire/wire.h).
 */
#pragma once

#include <stdbool.h>

/* Whether @argv is one of them. */
bool ssh_is(int argc, char **argv);

/* Run it; the exit status of the process. */
int ssh_run(int argc, char **argv);
