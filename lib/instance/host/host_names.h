/* SPDX-License-Identifier: MIT
 *
 * host_names — the host's search domains (resolv.conf) and names (/etc/hosts) for its guests,
 * followed as both change.
 *
 * Of hosts only the lines count whose address means the same in a guest: not those of loopback, of
 * link-local and multicast addresses, and of 0.0.0.0 and ::, by which a name is blocked.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_HOST_NAMES_HOSTS "/etc/hosts"

typedef struct BerthHostNames BerthHostNames;

/* Either path may be NULL: nothing of it. @on_change is called when something is another than
 * before; never from within this. */
BerthHostNames *berth_host_names_new(const char *resolv_conf, const char *hosts,
                                     void (*on_change)(gpointer user_data), gpointer user_data);
void berth_host_names_free(BerthHostNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostNames, berth_host_names_free)

/* Domains with a blank between, or "". Borrowed, until it changes. */
const char *berth_host_names_search(const BerthHostNames *names);

/* Lines "ADDRESS NAME...", the first ones that fit WIRE_NAMES_MAX, or "". Borrowed, until it
 * changes. */
const char *berth_host_names_hosts(const BerthHostNames *names);

/* How many lines more there are. */
guint berth_host_names_left_out(const BerthHostNames *names);

G_END_DECLS
