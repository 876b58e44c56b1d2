/* SPDX-License-Identifier: MIT
 *
 * host_access — the ports of this host's localhost that distros may reach.
 *
 * A distro reaches what berth.conf, the user (a row of the registry) or, until it stops, a session
 * of its own allows; none while it is isolated.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* Let @name reach the ports @words of this host's localhost, numbers or "all", or with @denies no
 * longer. It is remembered and takes effect at once where the distro runs. *@ret_notice is a line
 * for the user, or NULL; free with g_free. Errors: "distro.*", "access.*", "host.*". */
bool berth_host_access_change(Berth *berth, const char *name, const char *const *words, bool denies,
                              char **ret_notice, GError **error);

/* The grant that allows a port. */
typedef enum {
    BERTH_GRANT_CONFIG, /* berth.conf */
    BERTH_GRANT_USER,
    BERTH_GRANT_SESSION, /* until the distro stops */
} BerthGrantOrigin;

typedef struct {
    guint port; /* 0: all of them */
    BerthGrantOrigin origin;
} BerthHostGrant;

typedef struct {
    char *distro;
    bool isolated;
    char *outbound; /* the only addresses it may reach; "": all */
    GArray *ports;  /* BerthHostGrant, by port */
} BerthHostGrants;

/* Accepts NULL. */
void berth_host_grants_free(BerthHostGrants *grants);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostGrants, berth_host_grants_free)

/* Of @name, or with NULL of every distro: BerthHostGrants *. Free with g_ptr_array_unref. Errors:
 * "distro.*", "config.*", "access.*". */
GPtrArray *berth_host_access_list(Berth *berth, const char *name, GError **error);

G_END_DECLS
