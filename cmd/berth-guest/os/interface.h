/* SPDX-License-Identifier: MIT
 *
 * interface — lo and eth0 with the addresses the host gave, before anything of the distro runs.
 *
 * eth0 always has an IPv6 address, so that forwards reach what speaks nothing else; a way out it
 * has for as long as the host has one.
 *
 * No DHCP: the host knows the answers, and published images have their network managers switched
 * off.
 */
#pragma once

#include "config.h"

#define NETWORK_DEVICE "eth0"
#define NETWORK_ADDRESS                                                                            \
    {                                                                                              \
        10, 0, 2, 15                                                                               \
    } /* its, on every host; network order */

/* 0, or -errno with what failed in *ret_what (a constant). No eth0 at all is -ENODEV. */
int network_up(const Config *config, const char **ret_what);

/* IPv6's way out of the host, or "": there is none. Failures are logged. */
void network_route6(const char *gateway);
