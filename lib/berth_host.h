/* SPDX-License-Identifier: MIT
 *
 * berth_host — the ports of the host and its services that distros may reach. A part of the
 * public interface (berth.h).
 */
#pragma once

#include "berth_instance.h"

G_BEGIN_DECLS

/* "NAME=value" for each service of this host that the settings of @name allow: variables for the
 * distro's programs, which set them only for users who may use the service. Free with g_strfreev.
 */
char **berth_service_variables(Berth *berth, const char *name);

typedef struct {
    guint port;         /* 0: all of them */
    const char *origin; /* what allows it: "berth.conf", "berth host" or "session". Static. */
    bool temporary;     /* until the distro stops */
} BerthHostPort;

typedef struct {
    char *distro;
    bool isolated;    /* by berth.conf, which overrides all of this */
    char *outbound;   /* the only reachable addresses; "": all */
    GPtrArray *ports; /* BerthHostPort*, sorted */
} BerthHostAccess;

void berth_host_access_free(BerthHostAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostAccess, berth_host_access_free)

/* Allow or deny @name the ports @ports of the host's localhost: numbers, or "all". Persistent, and
 * effective at once if the distro is running. *@ret_notice is a line for the user, or NULL; free
 * with g_free. Errors: "distro.not-found", "access.*", "host.not-allowed". */
bool berth_host_allow(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                      GError **error);
bool berth_host_deny(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                     GError **error);

/* The access of @name, or of every distro if NULL: BerthHostAccess*. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_host_list(Berth *berth, const char *name, GError **error);

/* Allow the running distro behind @connection one more port until it stops. Errors:
 * "instance.isolated", "access.ports". */
bool berth_host_allow_once(int connection, guint16 port, GError **error);

G_END_DECLS
