/* SPDX-License-Identifier: MIT
 *
 * proxynet — a network namespace for the loopback proxies (loopback_proxies.h), so that they occupy
 * no port the guest's services may bind.
 *
 * It holds a macvlan of eth0 with addresses of its own, 10.0.2.14 and prefix::14, to which the
 * host's forwards lead. It has no process and no name, so the guest does not see it, and the
 * guest's firewall and routes do not apply in it.
 */
#pragma once

#include "os/config.h"

#define PROXYNET_ADDRESS "10.0.2.14/24"
#define PROXYNET_HOST6   0x14 /* last byte of its IPv6 address; the others are eth0's */

typedef struct {
    int home; /* namespace of the agent; -1: not open */
    int own;  /* namespace of the proxies; -1: not open */
} Proxynet;

/* Create it next to the device with index @device, whose addresses are in @config. 0, or -errno
 * with the failed step in *ret_what (a constant). */
int proxynet_open(Proxynet *proxynet, const Config *config, unsigned device, const char **ret_what);
void proxynet_close(Proxynet *proxynet);

/* Create a non-blocking stream socket in it. -1 with errno. */
int proxynet_socket(const Proxynet *proxynet, int family);
