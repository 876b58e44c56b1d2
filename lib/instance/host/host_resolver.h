/* SPDX-License-Identifier: MIT
 *
 * host_resolver — the name servers of the host, followed as networks and VPNs come and go.
 *
 * It is the keeper that reads resolv.conf (host_file): berth-net, which parses what a hostile guest
 * sends, then needs no file at all.
 *
 * On the thread-default GMainContext. A file that cannot be read has no servers.
 */
#pragma once

#include "net/resolv.h"

G_BEGIN_DECLS

typedef struct BerthHostResolver BerthHostResolver;

/* @path may be NULL: then there are no servers. @on_change is called when the list is another than
 * before; never from within this. */
BerthHostResolver *berth_host_resolver_new(const char *path, void (*on_change)(gpointer user_data),
                                           gpointer user_data);
void berth_host_resolver_free(BerthHostResolver *resolver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostResolver, berth_host_resolver_free)

/* Borrowed. */
const BerthResolvers *berth_host_resolver_list(const BerthHostResolver *resolver);

G_END_DECLS
