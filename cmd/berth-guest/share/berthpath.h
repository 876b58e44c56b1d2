/* SPDX-License-Identifier: MIT
 *
 * berthpath — the command of that name in sessions, WSL's wslpath: translates a path between the
 * host and this distro. It is this program, copied into a directory that sessions have in PATH.
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>

#define BERTHPATH_DIRECTORY "/run/berth/bin"

/* Copy this program into BERTHPATH_DIRECTORY. 0, or -errno. */
int berthpath_install(void);

/* Keep the paths of WIRE_SHARES for berthpath. 0, or -errno. */
int berthpath_set_shares(const WireFrame *frame);

/* Whether this process was started as berthpath; run it. Returns the exit status. */
bool berthpath_is(const char *argv0);
int berthpath_run(int argc, char **argv);
