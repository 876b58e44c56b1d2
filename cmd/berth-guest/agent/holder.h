/* SPDX-License-Identifier: MIT
 *
 * holder — the process that holds a user's login session open (logins.h).
 */
#pragma once

#include <sys/types.h>

/* The name of that process, as /proc/PID/comm has it. */
#define HOLDER_NAME "berth-session"

/* The holder of @uid's session; 0: none is open. For a process that is not told by the agent. */
pid_t holder_find(uid_t uid);

/* Move this process into the control group of @holder, unless it is there. Needs root; errors are
 * ignored: the command then runs outside the session. */
void holder_join(pid_t holder);
