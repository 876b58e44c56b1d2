/* SPDX-License-Identifier: MIT
 *
 * network — lo and eth0 with the addresses the host gave, before anything of the distro runs.
 *
 * No DHCP: the host knows the answers, and published images have their network managers switched
 * off.
 */
#pragma once

#include "config.h"

/* 0, or -errno with what failed in *ret_what (a constant). No eth0 at all is -ENODEV. */
int network_up(const Config *config, const char **ret_what);
