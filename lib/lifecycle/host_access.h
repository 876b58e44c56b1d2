/* SPDX-License-Identifier: MIT
 *
 * host_access — the ports of the host's localhost that distros may reach.
 *
 * A port is allowed by berth.conf, by the user (a row of the registry) or, until the distro stops,
 * by a session. An isolated distro reaches none.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* Allow @name the ports @words of the host's localhost, numbers or "all", or deny them if @denies.
 * Persistent, and effective at once if the distro is running. *@ret_notice is a line for the user,
 * or NULL; free with g_free. Errors: "distro.*", "access.*", "host.*". */
bool berth_host_access_change(Berth *berth, const char *name, const char *const *words, bool denies,
                              char **ret_notice, GError **error);

/* The origin of a port's permission. */
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
    char *outbound; /* the only reachable addresses; "": all */
    GArray *ports;  /* BerthHostGrant, by port */
} BerthHostGrants;

/* NULL is allowed. */
void berth_host_grants_free(BerthHostGrants *grants);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostGrants, berth_host_grants_free)

/* The grants of @name, or of every distro if NULL: BerthHostGrants *. Free with g_ptr_array_unref.
 * Errors: "distro.*", "config.*", "access.*". */
GPtrArray *berth_host_access_list(Berth *berth, const char *name, GError **error);

G_END_DECLS
