/* SPDX-License-Identifier: MIT
 *
 * host_route — whether this host has a default IPv6 route, followed as it changes.
 *
 * A guest with a default route that leads nowhere runs into a timeout for each AAAA record, so it
 * has one only while the host has. rtnetlink reports changes; the table in /proc decides. On the
 * thread-default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_HOST_ROUTE_TABLE "/proc/net/ipv6_route"

typedef struct BerthHostRoute BerthHostRoute;

/* @on_change is called after a change. Never fails: without netlink the first answer stays. */
BerthHostRoute *berth_host_route_new(const char *table, void (*on_change)(gpointer user_data),
                                     gpointer user_data);
/* Accepts NULL. */
void berth_host_route_free(BerthHostRoute *route);

bool berth_host_route_has_default(const BerthHostRoute *route);

/* Whether @text, in the format of /proc/net/ipv6_route, has a usable default route. */
bool berth_host_route_parse(const char *text);

G_END_DECLS
