/* SPDX-License-Identifier: MIT
 *
 * berthpath — the command of that name in sessions, WSL's wslpath: translates a path between the
 * host and this distro. os/programs.h installs it.
 */
#pragma once

#include "wire/wire.h"

#define BERTHPATH_NAME "berthpath"

/* Keep the paths of WIRE_SHARES for berthpath. 0, or -errno. */
int berthpath_set_shares(const WireFrame *frame);

/* Returns the exit status. */
int berthpath_run(int argc, char **argv);
