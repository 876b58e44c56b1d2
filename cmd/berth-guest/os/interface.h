/* SPDX-License-Identifier: MIT
 *
 * interface — lo and eth0 with the addresses the host gave, before anything of the distro runs.
 *
 * eth0 always has an IPv6 address, so that forwards reach IPv6-only services; it has a default
 * route while the host has one.
 *
 * No DHCP: the host configures all, and berth's images have their network managers disabled.
 */
#pragma once

#include "config.h"

#define NETWORK_DEVICE "eth0"
#define NETWORK_ADDRESS                                                                            \
    {                                                                                              \
        10, 0, 2, 15                                                                               \
    } /* IPv4 address of eth0 on every host; network order */

/* 0, or -errno with the failed step in *ret_what (a constant). -ENODEV: there is no eth0. */
int network_up(const Config *config, const char **ret_what);

/* Replace the IPv6 address @former ("": none) by @address. Failures are logged. */
void network_renumber6(const char *former, const char *address);

/* Set the IPv6 default route to @gateway; "": remove it. Failures are logged. */
void network_route6(const char *gateway);
