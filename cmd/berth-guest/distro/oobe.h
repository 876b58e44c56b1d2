/* SPDX-License-Identifier: MIT
 *
 * oobe — the distro's own first-run command (/etc/wsl-distribution.conf), for who asked for it at
 * the import: run as root on the terminal of the first interactive shell. While it fails it is run
 * again at the next one; when it succeeds, oobe.defaultUid is the default user, of that shell too.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

/* At boot: keep the command for later, if it is wanted, there is one and it has not been run. */
int oobe_prepare(const Config *config, const Settings *settings);

/* Whether it is still to be run. */
bool oobe_is_wanted(void);

/* Run it on the standard streams. True when it succeeded: @user is the default user then. */
bool oobe_run(char user[65]);
