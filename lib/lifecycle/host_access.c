/* SPDX-License-Identifier: MIT */
#include "host_access.h"

#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "model/access.h"

/* --- changing --- */

/* Parse the ports in @words; all of them must be valid. */
static bool read_ports(const char *const *words, BerthAccess *ret_ports, GError **error)
{
    *ret_ports = (BerthAccess){.known = 1};
    for (gsize i = 0; words[i] != NULL; i++)
        if (!berth_access_add_ports(ret_ports, words[i], error))
            return false;
    if (ret_ports->host_all || ret_ports->n_ports > 0)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "access.port",
                    "give numbers from 1 to 65535, or \"all\"", "no port is given");
    return false;
}

/* The allowed ports as text; NULL with @error if they exceed what a machine can hold. */
static char *read_allowed(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autofree char *ports = berth_registry_host_ports(berth->registry, distro, error);
    BerthAccess access = {.known = 1};
    if (ports == NULL || !berth_access_add_ports(&access, ports, error))
        return NULL;
    return g_steal_pointer(&ports);
}

/* Send @ports to the keeper, if one runs. Returns a line for the user on failure. */
static char *apply(Berth *berth, const BerthDistro *distro, const char *ports)
{
    g_autoptr(GError) error = NULL;
    berth_autofd int fd = berth_reach_connect(berth, distro, &error);
    if (fd < 0 && !berth_reach_is_unreachable(error))
        return NULL;
    berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
    if (fd >= 0 && berth_request_set_host_ports(fd, ports, &error))
        return NULL;
    return g_strdup_printf("%s: the change takes effect at the next start: %s", distro->name,
                           error->message);
}

/* A line about a setting in berth.conf that overrides the change; or NULL. */
static char *find_override(Berth *berth, const BerthDistro *distro, const BerthAccess *denied)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, distro->name, NULL);
    if (settings == NULL)
        return NULL;
    if (denied == NULL)
        return settings->isolated
                   ? g_strdup_printf(
                         "%s is isolated by berth.conf: it still reaches no port of this host",
                         distro->name)
                   : NULL;

    BerthAccess configured = {.known = 1};
    if (settings->host_ports == NULL ||
        !berth_access_add_ports(&configured, settings->host_ports, NULL))
        return NULL;
    bool still = configured.host_all || (denied->host_all && configured.n_ports > 0);
    for (guint i = 0; !still && i < denied->n_ports; i++)
        still = berth_access_host(&configured, denied->ports[i]) == BERTH_ACCESS_OPEN;
    return still ? g_strdup_printf("host-ports in berth.conf still allows %s: %s", distro->name,
                                   settings->host_ports)
                 : NULL;
}

static bool allow(Berth *berth, const BerthDistro *distro, const BerthAccess *ports, GError **error)
{
    g_autofree char *before = berth_registry_host_ports(berth->registry, distro, error);
    BerthAccess all = *ports;
    if (before == NULL || !berth_access_add_ports(&all, before, error))
        return false; /* together they exceed the limit */
    if (ports->host_all &&
        !berth_registry_allow_port(berth->registry, distro, BERTH_REGISTRY_ALL_PORTS, error))
        return false;
    for (guint i = 0; i < ports->n_ports; i++)
        if (!berth_registry_allow_port(berth->registry, distro, ports->ports[i], error))
            return false;
    return true;
}

/* Reject: denying one port has no effect while all are allowed. */
static bool refuse_deny(const BerthDistro *distro, guint16 port, GError **error)
{
    g_autofree char *hint =
        g_strdup_printf("start over: berth host deny %s all, then allow some", distro->name);
    berth_error_set(error, BERTH_ERROR_INVALID, "host.all-allowed", hint,
                    "port %u cannot be denied while all are allowed", port);
    return false;
}

static bool deny(Berth *berth, const BerthDistro *distro, const BerthAccess *ports, GError **error)
{
    if (ports->host_all)
        return berth_registry_deny_all(berth->registry, distro, error);
    g_autofree char *before = berth_registry_host_ports(berth->registry, distro, error);
    BerthAccess allowed = {.known = 1};
    if (before == NULL || !berth_access_add_ports(&allowed, before, error))
        return false;
    if (allowed.host_all)
        return refuse_deny(distro, ports->ports[0], error);
    for (guint i = 0; i < ports->n_ports; i++)
        if (!berth_registry_deny_port(berth->registry, distro, ports->ports[i], error))
            return false;
    return true;
}

bool berth_host_access_change(Berth *berth, const char *name, const char *const *words, bool denies,
                              char **ret_notice, GError **error)
{
    BerthAccess ports;
    if (!read_ports(words, &ports, error))
        return false;
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro == NULL || berth_handle_runtime(berth, error) == NULL ||
        !(denies ? deny : allow)(berth, distro, &ports, error))
        return false;
    g_autofree char *allowed = read_allowed(berth, distro, error);
    if (allowed == NULL)
        return false;
    *ret_notice = apply(berth, distro, allowed);
    if (*ret_notice == NULL)
        *ret_notice = find_override(berth, distro, denies ? &ports : NULL);
    return true;
}

/* --- listing --- */

void berth_host_grants_free(BerthHostGrants *grants)
{
    if (grants == NULL)
        return;
    g_free(grants->distro);
    g_free(grants->outbound);
    g_clear_pointer(&grants->ports, g_array_unref);
    g_free(grants);
}

static void add_port(BerthHostGrants *grants, guint port, BerthGrantOrigin origin)
{
    const BerthHostGrant grant = {.port = port, .origin = origin};
    g_array_append_val(grants->ports, grant);
}

static bool add_ports(BerthHostGrants *grants, const char *text, BerthGrantOrigin origin,
                      GError **error)
{
    BerthAccess ports = {.known = 1};
    if (text == NULL)
        return true;
    if (!berth_access_add_ports(&ports, text, error))
        return false;
    if (ports.host_all)
        add_port(grants, 0, origin);
    for (guint i = 0; i < ports.n_ports; i++)
        add_port(grants, ports.ports[i], origin);
    return true;
}

/* Add the ports that the keeper allows until the distro stops, such as that of a session's
 * proxy. */
static bool add_temporary(BerthHostGrants *grants, const Berth *berth, const BerthDistro *distro,
                          GError **error)
{
    berth_autofd int fd = berth_reach_connect(berth, distro, NULL);
    if (fd < 0)
        return true;
    berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
    g_autoptr(BerthInstanceStatus) status = berth_request_status(fd, NULL);
    return status == NULL || add_ports(grants, status->host_ports, BERTH_GRANT_SESSION, error);
}

static gint compare_grants(gconstpointer left, gconstpointer right)
{
    const BerthHostGrant *a = left;
    const BerthHostGrant *b = right;
    return a->port != b->port ? (gint)a->port - (gint)b->port : (gint)a->origin - (gint)b->origin;
}

static BerthHostGrants *grants_of(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, distro->name, error);
    g_autofree char *allowed =
        settings != NULL ? berth_registry_host_ports(berth->registry, distro, error) : NULL;
    if (allowed == NULL)
        return NULL;
    g_autoptr(BerthHostGrants) grants = g_new0(BerthHostGrants, 1);
    grants->distro = g_strdup(distro->name);
    grants->isolated = settings->isolated;
    grants->outbound = g_strdup(settings->outbound != NULL ? settings->outbound : "");
    grants->ports = g_array_new(false, false, sizeof(BerthHostGrant));
    if (!add_ports(grants, settings->host_ports, BERTH_GRANT_CONFIG, error)) {
        g_prefix_error(error, "host-ports: ");
        return NULL;
    }
    if (!add_ports(grants, allowed, BERTH_GRANT_USER, error) ||
        !add_temporary(grants, berth, distro, error))
        return NULL;
    g_array_sort(grants->ports, compare_grants);
    return g_steal_pointer(&grants);
}

GPtrArray *berth_host_access_list(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(GPtrArray) distros = berth_handle_find_all(berth, name != NULL ? names : NULL, error);
    if (distros == NULL || berth_handle_runtime(berth, error) == NULL)
        return NULL;
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_host_grants_free);
    for (guint i = 0; i < distros->len; i++) {
        BerthHostGrants *grants = grants_of(berth, distros->pdata[i], error);
        if (grants == NULL)
            return NULL;
        g_ptr_array_add(list, grants);
    }
    return g_steal_pointer(&list);
}
