/* SPDX-License-Identifier: MIT
 *
 * host_names — the host's search domains (resolv.conf) and names (/etc/hosts) for its guests,
 * followed as both change.
 *
 * Of the hosts file it passes on only lines whose address means the same in a guest: not loopback,
 * link-local and multicast addresses, nor 0.0.0.0 and ::, which block a name.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_HOST_NAMES_HOSTS "/etc/hosts"

typedef struct BerthHostNames BerthHostNames;

/* How much did not fit. */
typedef struct {
    guint domains; /* the last of the search domains; the rest fits WIRE_SEARCH_MAX */
    guint lines;   /* the last of the hosts file; the rest fits WIRE_NAMES_MAX */
} BerthHostNamesLeftOut;

/* Either path may be NULL: empty. @on_change is called after a change, never from within this
 * function. */
BerthHostNames *berth_host_names_new(const char *resolv_conf, const char *hosts,
                                     void (*on_change)(gpointer user_data), gpointer user_data);
void berth_host_names_free(BerthHostNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostNames, berth_host_names_free)

/* The domains, separated by blanks, as many as fit WIRE_SEARCH_MAX, or "". Borrowed, until they
 * change. */
const char *berth_host_names_search(const BerthHostNames *names);

/* Lines "ADDRESS NAME...", as many as fit WIRE_NAMES_MAX, or "". Borrowed, until they change. */
const char *berth_host_names_hosts(const BerthHostNames *names);

BerthHostNamesLeftOut berth_host_names_left_out(const BerthHostNames *names);

G_END_DECLS
