/* SPDX-License-Identifier: MIT
 *
 * startup — what wsl.conf and fstab request at each start: mounting /etc/fstab, and boot.command.
 * Under systemd, systemd mounts, and boot.command is a unit (systemd.h).
 */
#pragma once

#include "distro/wsl_settings.h"
#include "os/power.h"

#include <stddef.h>

typedef void (*StartupNote)(void *data, const char *text);

typedef struct {
    int root; /* the distro's / */
    InitKind init;
    const Settings *settings;
    StartupNote note; /* called for each line whose device is absent, at most NOTES_MAX times */
    void *data;
} StartupMount;

/* Mount the entries of /etc/fstab if berth's own init is PID 1; otherwise hide the file from the
 * distro's init if the settings say so. Under every init, entries of devices that this machine
 * cannot have are skipped without waiting, as with nofail. @problem receives mount's error
 * output. */
void startup_mount(const StartupMount *startup, char *problem, size_t size);

/* Start boot.command in the background; its output goes to the console's log. 0, or -errno. */
int startup_command(InitKind init, const Settings *settings);
