/* SPDX-License-Identifier: MIT
 *
 * detach — starting a process that owes nothing to the one that starts it.
 *
 * A keeper lives longer than the command that happened to be the first, and serves others. So it
 * begins clean, whatever that command was given:
 *
 *     descriptors    those it is given, no other: a pipe's end or a flock would be held for ever
 *     limits         soft ones as far as the hard ones, those too where privileges allow it; what
 *                    is too little to keep a distro on is an error now, not a damaged disk later
 *     priority       nice 0, the default scheduler, I/O class and OOM score, where it may have them
 *     signals        none blocked, none ignored
 *     environment    only what is named in detach.c
 *     else           a session of its own, umask 077, "/" as its directory
 *
 * Its control group stays the starter's: leaving that takes a service manager's help. Where one
 * ends a group with its service or its login (systemd's KillMode=, KillUserProcesses=), the keeper
 * ends.
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
    guint64 file_size; /* of the largest file it is to write */
} BerthDetach;

/* Start it. True once the program runs; the caller's descriptors stay the caller's.
 * Errors: errno's, "instance.start.*"; BERTH_ERROR_DENIED, "instance.limit". */
bool berth_detach(const BerthDetach *detach, GError **error);

G_END_DECLS
