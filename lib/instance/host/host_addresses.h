/* SPDX-License-Identifier: MIT
 *
 * host_addresses — follows the host's own addresses, which an isolated distro must not reach.
 *
 * They are the kernel's routes of type local, anycast and broadcast, which also cover networks
 * routed to the host. A netlink socket filtered to those types reports changes; nothing is polled.
 * Loopback and link-local addresses are left out: berth-net never reaches them. On the
 * thread-default GMainContext.
 */
#pragma once

#include "model/access.h"

G_BEGIN_DECLS

typedef struct BerthHostAddresses BerthHostAddresses;

/* @changed is called after one or more changes.
 * Errors: errno's, "instance.addresses.*". */
BerthHostAddresses *berth_host_addresses_new(void (*changed)(gpointer user_data),
                                             gpointer user_data, GError **error);
void berth_host_addresses_free(BerthHostAddresses *addresses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostAddresses, berth_host_addresses_free)

/* Write the current addresses to @access. False when the dump failed: @access is marked
 * incomplete. */
bool berth_host_addresses_put(BerthAccess *access);

G_END_DECLS
