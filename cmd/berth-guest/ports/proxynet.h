/* SPDX-License-Identifier: MIT
 *
 * proxynet — a network of their own for the loopback proxies (loopback_proxies.h), so that they
 * take no port the guest's services may want.
 *
 * It is a network namespace with a macvlan of eth0, which has addresses of its own, 10.0.2.14 and
 * prefix::14. The host's forwards lead there. No process lives in it and it has no name, so that
 * the guest sees nothing of it; neither its firewall nor its routes apply.
 */
#pragma once

#include "os/config.h"

#define PROXYNET_ADDRESS "10.0.2.14/24"
#define PROXYNET_HOST6   0x14 /* the last byte of its IPv6 address; the rest is eth0's */

typedef struct {
    int home; /* the namespace of the agent */
    int own;
} Proxynet;

/* Make it, next to the device with index @device that has the addresses of @config. 0, or -errno
 * with what failed in *ret_what (a constant). */
int proxynet_open(Proxynet *proxynet, const Config *config, unsigned device, const char **ret_what);
void proxynet_close(Proxynet *proxynet);

/* A stream socket in it, that does not block; -1 with errno. */
int proxynet_socket(const Proxynet *proxynet, int family);
