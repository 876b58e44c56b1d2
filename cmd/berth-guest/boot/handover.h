/* SPDX-License-Identifier: MIT
 *
 * handover — which init the distro has, and becoming it.
 */
#pragma once

#include "os/power.h"

#include <limits.h>

typedef struct {
    InitKind kind;
    char path[PATH_MAX]; /* "" for our own */
} Init;

/* Look for the distro's init; what it really is tells where its links end. Without @systemd that
 * one is passed over, and berth's own takes its place. */
Init handover_find(bool systemd);

/* Where systemd's notifications are to go: a socket for the agent, its name for systemd's
 * environment. -1 with errno. */
int handover_open_notify(void);

/* Become @init; returns -errno. */
int handover_exec(const Init *init);
