/* SPDX-License-Identifier: MIT
 *
 * namespaces — a process takes leave of the host's users, files, IPC and host name, unprivileged.
 *
 * What is left of the file system is an empty directory that cannot be written. The network stays:
 * it is what berth-net is for. So do the process ids: a namespace of those begins with the next
 * child, and a process that is not allowed to have children, nor to signal or trace anybody, nor
 * has a /proc, sees as little without.
 *
 * Many hosts do not allow it (Ubuntu's AppArmor, containers, sysctls), which is no reason not to
 * go on: it is a wall behind others. Must come before any thread is started, and before the process
 * gives up being looked into.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 0, or the errno of the step that the host refused; those before it hold. */
int berth_namespaces_leave(void);

G_END_DECLS
