/* SPDX-License-Identifier: MIT
 *
 * systemd — what systemd and its like must know of this machine before they start: written to /run,
 * so that nothing is installed into the distro and nothing is left on its disk.
 */
#pragma once

#include "distro/wsl_settings.h"

/* 0, or -errno with the path in *ret_what (a constant). */
int systemd_prepare(const Settings *settings, const char **ret_what);
