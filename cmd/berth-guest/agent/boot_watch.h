/* SPDX-License-Identifier: MIT
 *
 * boot_watch — the agent's view of how the boot goes on after the fork: the hand-over of PID 1,
 * then systemd's word that it has finished, then what systemd thinks of the result.
 *
 * The hand-over pipe is close-on-exec in PID 1: its end without a word is the distro's init
 * running; a line in it is why that failed, and PID 1 is small_init.c then. Nothing here has a
 * timeout: the host has one.
 */
#pragma once

#include "os/loop.h"
#include "os/power.h"

typedef struct BootWatch BootWatch;

typedef struct {
    void (*stage)(void *data, const char *name, const char *problem);
    void (*booted)(void *data, const char *status);
} BootWatchEvents;

/* Takes both descriptors; @handover -1 means that there is nothing to wait for. NULL without
 * memory. */
BootWatch *boot_watch_new(Loop *loop, InitKind init, int handover, int notify,
                          const BootWatchEvents *events, void *data);
/* NULL is nothing. */
void boot_watch_free(BootWatch *watch);

/* The init that PID 1 is. */
InitKind boot_watch_init(const BootWatch *watch);

/* "running", "degraded", ...; NULL until the init has finished starting. */
const char *boot_watch_status(const BootWatch *watch);
