/* SPDX-License-Identifier: MIT
 *
 * address — the addresses on the network between an instance and its berth-net.
 *
 * Each instance has a private network, so all use the same addresses. Host byte order. IPv6 differs
 * by prefix only, a /64 derived from the distro's id (berth_machine_prefix6 in model/machine.h);
 * the last byte selects the host, the bytes between are zero.
 */
#pragma once

#define BERTH_ADDRESS_NETWORK  0x0a000200u /* 10.0.2.0 */
#define BERTH_ADDRESS_MASK     0xffffff00u
#define BERTH_ADDRESS_HOST     0x0a000202u /* 10.0.2.2: the gateway; source of forwarded clients */
#define BERTH_ADDRESS_DNS      0x0a000203u /* 10.0.2.3 */
#define BERTH_ADDRESS_GUEST    0x0a00020fu /* 10.0.2.15 */
#define BERTH_ADDRESS_PROXIES  0x0a00020eu /* 10.0.2.14: the agent's loopback proxies */
#define BERTH_ADDRESS_LOOPBACK 0x7f000001u /* 127.0.0.1, in guest and host */

#define BERTH_ADDRESS6_HOST    0x02
#define BERTH_ADDRESS6_DNS     0x03
#define BERTH_ADDRESS6_GUEST   0x15
#define BERTH_ADDRESS6_PROXIES 0x14

/* 198.19.255.N is the distro in slot N, 1 to BERTH_SLOT_MAX; its forwards are on 127.0.N.1. */
#define BERTH_ADDRESS_NEIGHBOURS 0xc613ff00u
#define BERTH_SLOT_MAX           254u

/* Limits of an instance's MTU, bytes of an IP packet. */
#define BERTH_MTU_MIN 576u
#define BERTH_MTU_MAX 65520u
