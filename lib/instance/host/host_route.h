/* SPDX-License-Identifier: MIT
 *
 * host_route — whether IPv6 leads out of this host, and word when that changes: a VPN, another
 * network, a cable.
 *
 * A guest that has a way out which leads nowhere waits for every name with an AAAA record; so it
 * has one only while its host has. The kernel tells of changes (rtnetlink), its table in /proc is
 * the truth. On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_HOST_ROUTE_TABLE "/proc/net/ipv6_route"

typedef struct BerthHostRoute BerthHostRoute;

/* @on_change is called after the answer has become another. Never fails: what cannot be watched is
 * as it was found. */
BerthHostRoute *berth_host_route_new(const char *table, void (*on_change)(gpointer user_data),
                                     gpointer user_data);
/* NULL is fine. */
void berth_host_route_free(BerthHostRoute *route);

bool berth_host_route_leads_out(const BerthHostRoute *route);

/* Whether @text, in the format of /proc/net/ipv6_route, has a default route of use. */
bool berth_host_route_parse(const char *text);

G_END_DECLS
