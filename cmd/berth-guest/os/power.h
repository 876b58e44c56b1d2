/* SPDX-License-Identifier: MIT
 *
 * power — asks an init of any kind to power off or reboot the machine.
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>

typedef enum {
    INIT_NONE,  /* the agent is an ordinary process and only ends itself */
    INIT_BERTH, /* small_init.c */
    INIT_SYSTEMD,
    INIT_BUSYBOX,
    INIT_OTHER, /* sysvinit, OpenRC, ...: by its own poweroff and reboot commands */
} InitKind;

/* "systemd", "berth", ...: sent in READY and shown to users. */
const char *power_init_name(InitKind kind);

/* Request @action. False: the init may not handle requests yet; retry shortly. */
bool power_request(InitKind kind, WirePower action);
