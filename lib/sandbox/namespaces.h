/* SPDX-License-Identifier: MIT
 *
 * namespaces — moves a process into user, mount, IPC and UTS namespaces of its own, unprivileged.
 *
 * Its file system is then an empty, read-only directory. The network namespace stays, since
 * berth-net needs it. The PID namespace stays too: a new one would only hold children, and a
 * process that can neither fork, signal nor ptrace and has no /proc sees no more of the host
 * without it.
 *
 * Many hosts forbid this (Ubuntu's AppArmor, containers, sysctls). Callers carry on then: other
 * layers remain. Call before any thread starts and while the process is still dumpable.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 0, or the errno of the step that the host refused; earlier steps stay in effect. */
int berth_namespaces_leave(void);

G_END_DECLS
