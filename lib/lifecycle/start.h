/* SPDX-License-Identifier: MIT
 *
 * start — a connection to a distro that is up, which is started when it is not.
 *
 * A start is retried where trying again may help: when another command has moved or renamed the
 * distro meanwhile, and once, with the disk checked, when the guest could not mount it.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    bool rescue;   /* start nothing of the distro's; an error when it runs already */
    bool isolated; /* reach nothing of the host's until it stops; an error when it runs already */
    bool early;    /* return as soon as the keeper listens */
} BerthStartOptions;

/* A connection to @name, whose guest is up; -1 on error. *@ret_notice is lines for the user about
 * how it was started, or NULL; free with g_free. Errors: "distro.*", "disk.*", "machine.*",
 * "template.missing", "config.*", "accel.*", "instance.*", "rescue.*". */
int berth_start_connect(Berth *berth, const char *name, const BerthStartOptions *how,
                        char **ret_notice, GError **error);

/* Forget what is remembered of the emulator and of KVM where @problem, of a start, may come from
 * it. berth_start_connect does; a caller that connects early learns of the problem later. */
void berth_start_forget(Berth *berth, const GError *problem);

/* The command line with which QEMU would be started; nothing is. Free with g_free. */
char *berth_start_command_line(Berth *berth, const char *name, char **ret_notice, GError **error);

G_END_DECLS
