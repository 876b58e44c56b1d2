/* SPDX-License-Identifier: MIT
 *
 * power — how each kind of init is asked to take the machine down.
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>

typedef enum {
    INIT_NONE,  /* the agent is an ordinary process: nothing is taken down but itself */
    INIT_BERTH, /* small_init.c */
    INIT_SYSTEMD,
    INIT_BUSYBOX,
    INIT_OTHER, /* sysvinit, OpenRC, ...: by its own poweroff and reboot commands */
} InitKind;

/* "systemd", "berth", ...: for READY and people. */
const char *power_init_name(InitKind kind);

/* Ask for @action. False when the init may not have heard it yet: ask again in a moment. */
bool power_request(InitKind kind, WirePower action);
