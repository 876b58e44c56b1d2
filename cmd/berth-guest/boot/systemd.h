/* SPDX-License-Identifier: MIT
 *
 * systemd — configures systemd and network managers for this machine before they start. Writes to
 * /run only: nothing is installed into the distro or left on its disk.
 */
#pragma once

#include "distro/wsl_settings.h"

/* 0, or -errno with the path in *ret_what (a constant). */
int systemd_prepare(const Settings *settings, const char **ret_what);
