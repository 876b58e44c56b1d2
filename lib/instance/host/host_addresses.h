/* SPDX-License-Identifier: MIT
 *
 * host_addresses — what the host takes for itself, and when that changes: what an isolated distro
 * must not reach.
 *
 * The kernel's routes of type local, anycast and broadcast say it, and cover whole networks where
 * somebody has routed one to the host. A netlink socket, filtered to those types, says when they
 * change; nothing is polled. Addresses that nobody can reach through berth-net are left out: those
 * of loopback and of links. On the thread-default GMainContext.
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

/* Put them into @access as they are now. False when the kernel does not say: then @access says that
 * they are not all there. */
bool berth_host_addresses_put(BerthAccess *access);

G_END_DECLS
