/* SPDX-License-Identifier: MIT
 *
 * start — connects to a distro, starting it if necessary.
 *
 * Retries a start when another command has moved or renamed the distro meanwhile, and once, after
 * checking the disk, when the guest could not mount it.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    bool rescue;   /* run nothing of the distro; an error if it is running */
    bool isolated; /* block access to the host until it stops; an error if it is running */
    bool early;    /* return as soon as the keeper listens */
} BerthStartOptions;

/* Connect to @name; returns when its guest is up; -1 on error. *@ret_notice is lines for the user
 * about the start, or NULL; free with g_free. Errors: "distro.*", "disk.*", "machine.*",
 * "template.missing", "config.*", "accel.*", "instance.*", "rescue.*". */
int berth_start_connect(Berth *berth, const char *name, const BerthStartOptions *how,
                        char **ret_notice, GError **error);

/* Discard the cached results of probing the emulator and KVM if they may have caused @problem, a
 * failed start. berth_start_connect does it itself; callers that connect early learn of the problem
 * later. */
void berth_start_forget(Berth *berth, const GError *problem);

/* The machine that a start of @distro, which need not be registered, would run. */
BerthMachine *berth_start_machine(Berth *berth, const BerthDistro *distro, GError **error);

/* The command line with which QEMU would be started. Starts nothing. Free with g_free. */
char *berth_start_command_line(Berth *berth, const char *name, char **ret_notice, GError **error);

G_END_DECLS
