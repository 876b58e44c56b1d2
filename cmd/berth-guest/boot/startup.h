/* SPDX-License-Identifier: MIT
 *
 * startup — what the distro's owner wants done at every start: mount /etc/fstab, or not, and
 * boot.command. Under systemd the one is systemd's work and the other a unit (systemd.h).
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
    StartupNote note; /* called for each line whose device is not in this machine, up to a bound */
    void *data;
} StartupMount;

/* Mount what /etc/fstab says where berth's own init is PID 1, or keep the distro's init from it
 * where that is asked for. Lines of devices that this machine cannot have are left out under every
 * init, as if they said nofail, without a wait. @problem receives the words of mount. */
void startup_mount(const StartupMount *startup, char *problem, size_t size);

/* Start boot.command, which goes on by itself; what it says is in the console's log. 0, or -errno.
 */
int startup_command(InitKind init, const Settings *settings);
