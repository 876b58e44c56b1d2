/* SPDX-License-Identifier: MIT
 *
 * detach — starts a daemon that inherits nothing from the caller.
 *
 * A keeper outlives the command that started it and serves others, so it starts clean:
 *
 *     descriptors    only those listed: an inherited pipe or flock would be held for ever
 *     limits         soft limits raised to the hard ones, and those where privileges allow; a limit
 *                    too low for a distro is an error now, not a damaged disk later
 *     priority       nice 0, default scheduler, I/O class and OOM score, where privileges allow
 *     signals        none blocked, none ignored
 *     environment    only the variables listed in detach.c, or what is given
 *     else           a session of its own, umask 077, "/" as its directory
 *
 * It stays in the caller's control group: leaving that takes a service manager's help. A service
 * manager that kills the group with its service or login (systemd's KillMode=, KillUserProcesses=)
 * ends the keeper.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DETACH_FDS_MAX 4

typedef struct {
    char *const *argv;             /* the program's path first */
    int log_fd;                    /* becomes its standard error */
    int fds[BERTH_DETACH_FDS_MAX]; /* become 3, 4, ...; -1: /dev/null */
    guint n_fds;
    guint64 file_size;              /* bytes of the largest file it will write */
    const char *const *environment; /* "K=V", NULL-terminated; NULL: as above */
} BerthDetach;

/* Start it. True once the program runs; the caller's descriptors stay the caller's.
 * Errors: errno's, "instance.start.*"; BERTH_ERROR_DENIED, "instance.limit". */
bool berth_detach(const BerthDetach *detach, GError **error);

G_END_DECLS
