/* SPDX-License-Identifier: MIT
 *
 * boot_watch — follows the boot from the agent: the hand-over of PID 1, systemd's notification that
 * it has started, then the state that systemd reports.
 *
 * PID 1 has the hand-over pipe close-on-exec: EOF without data means that the distro's init runs; a
 * line is the error for which small_init.c stayed PID 1 instead. There are no timeouts: the host
 * has one.
 */
#pragma once

#include "os/loop.h"
#include "os/power.h"

typedef struct BootWatch BootWatch;

typedef struct {
    void (*stage)(void *data, const char *name, const char *problem);
    void (*booted)(void *data, const char *status);
} BootWatchEvents;

/* Takes both descriptors. @handover -1: the init has started. NULL: out of memory. */
BootWatch *boot_watch_new(Loop *loop, InitKind init, int handover, int notify,
                          const BootWatchEvents *events, void *data);
/* NULL is nothing. */
void boot_watch_free(BootWatch *watch);

/* The kind of init that is PID 1. */
InitKind boot_watch_init(const BootWatch *watch);

/* "running", "degraded", ...; NULL until the init has finished starting. */
const char *boot_watch_status(const BootWatch *watch);
