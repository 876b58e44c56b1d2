/* SPDX-License-Identifier: MIT
 *
 * host_resolver — follows the host's name servers as networks and VPNs change.
 *
 * The keeper reads resolv.conf (host_file), so that berth-net, which parses a hostile guest's
 * packets, needs no file access.
 *
 * On the thread-default GMainContext. A file that cannot be read has no servers.
 */
#pragma once

#include "net/resolv.h"

G_BEGIN_DECLS

typedef struct BerthHostResolver BerthHostResolver;

/* @path may be NULL: no servers. @on_change is called when the list changes, never from within this
 * function. */
BerthHostResolver *berth_host_resolver_new(const char *path, void (*on_change)(gpointer user_data),
                                           gpointer user_data);
void berth_host_resolver_free(BerthHostResolver *resolver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostResolver, berth_host_resolver_free)

/* Borrowed. */
const BerthResolvers *berth_host_resolver_list(const BerthHostResolver *resolver);

G_END_DECLS
