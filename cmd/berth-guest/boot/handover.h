/* SPDX-License-Identifier: MIT
 *
 * handover — finds the distro's init and execs it.
 */
#pragma once

#include "os/power.h"

#include <limits.h>

typedef struct {
    InitKind kind;
    char path[PATH_MAX]; /* "": small_init */
} Init;

/* Find the distro's init; the target of its links gives its kind. Without @systemd, small_init is
 * used in place of systemd. */
Init handover_find(bool systemd);

/* Open the socket on which the agent receives systemd's notifications; handover_exec passes its
 * name to systemd. -1 with errno. */
int handover_open_notify(void);

/* Exec @init. Returns only on failure: -errno. */
int handover_exec(const Init *init);
