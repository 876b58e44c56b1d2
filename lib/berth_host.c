/* SPDX-License-Identifier: MIT
 *
 * The public functions about what distros may reach on the host, over lib/lifecycle.
 */
#include "berth_host.h"

#include "lifecycle/host_access.h"
#include "lifecycle/services.h"

void berth_host_access_free(BerthHostAccess *access)
{
    if (access == NULL)
        return;
    g_free(access->distro);
    g_free(access->outbound);
    g_ptr_array_unref(access->ports);
    g_free(access);
}

char **berth_service_variables(Berth *berth, const char *name)
{
    return berth_services_variables(berth, name);
}

bool berth_host_allow(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                      GError **error)
{
    return berth_host_access_change(berth, name, ports, false, ret_notice, error);
}

bool berth_host_deny(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                     GError **error)
{
    return berth_host_access_change(berth, name, ports, true, ret_notice, error);
}

bool berth_host_allow_once(int connection, guint16 port, GError **error)
{
    return berth_request_allow_host_port(connection, port, error);
}

static BerthHostAccess *public_access(BerthHostGrants *grants)
{
    static const char *const origins[] = {
        [BERTH_GRANT_CONFIG] = "berth.conf",
        [BERTH_GRANT_USER] = "berth host",
        [BERTH_GRANT_SESSION] = "session",
    };
    BerthHostAccess *access = g_new0(BerthHostAccess, 1);
    access->distro = g_steal_pointer(&grants->distro);
    access->isolated = grants->isolated;
    access->outbound = g_steal_pointer(&grants->outbound);
    access->ports = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < grants->ports->len; i++) {
        const BerthHostGrant *grant = &g_array_index(grants->ports, BerthHostGrant, i);
        BerthHostPort *port = g_new(BerthHostPort, 1);
        *port = (BerthHostPort){.port = grant->port,
                                .origin = origins[grant->origin],
                                .temporary = grant->origin == BERTH_GRANT_SESSION};
        g_ptr_array_add(access->ports, port);
    }
    return access;
}

GPtrArray *berth_host_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) all = berth_host_access_list(berth, name, error);
    if (all == NULL)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_host_access_free);
    for (guint i = 0; i < all->len; i++)
        g_ptr_array_add(list, public_access(all->pdata[i]));
    return list;
}
