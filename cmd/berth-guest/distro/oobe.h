/* SPDX-License-Identifier: MIT
 *
 * oobe — the distro's first-run command (/etc/wsl-distribution.conf), if the import requested it.
 * It runs as root on the terminal of the first interactive shell, and again in the next one after a
 * failure. After success oobe.defaultUid is the default user, including that shell's.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

/* At boot: store the command for later, if it was requested, exists, and has not succeeded yet. */
int oobe_prepare(const Config *config, const Settings *settings);

/* Whether it is still to run. */
bool oobe_is_wanted(void);

/* Run it on the standard streams. True when it succeeded: @user is the default user then. */
bool oobe_run(char user[65]);
