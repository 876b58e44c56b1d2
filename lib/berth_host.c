/* SPDX-License-Identifier: MIT
 *
 * The part of the facade about the ports of the host that distros may reach.
 */
#include "berth_private.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/control.h"
#include "manage/compose.h"
#include "model/access.h"

void berth_host_access_free(BerthHostAccess *access)
{
    if (access == NULL)
        return;
    g_free(access->distro);
    g_free(access->outbound);
    g_ptr_array_unref(access->ports);
    g_free(access);
}

/* --- changing --- */

/* The ports of @words together; nothing is changed when one of them is none. */
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

/* Whether what is allowed now can be handed to a machine, and as text. */
static char *read_allowed(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autofree char *ports = berth_registry_host_ports(berth->registry, distro, error);
    BerthAccess access = {.known = 1};
    if (ports == NULL || !berth_access_add_ports(&access, ports, error))
        return NULL;
    return g_steal_pointer(&ports);
}

/* Tell a keeper of it. A line for the user when it was not to be told. */
static char *apply(Berth *berth, const BerthDistro *distro, const char *ports)
{
    g_autoptr(GError) error = NULL;
    berth_autofd int fd = berth_private_connect(berth, distro, &error);
    if (fd < 0 && !berth_private_is_unreachable(error))
        return NULL;
    berth_private_limit_waiting(fd, ANSWER_TIMEOUT_SEC);
    if (fd >= 0 && berth_control_set_host_ports(fd, ports, &error))
        return NULL;
    return g_strdup_printf("%s: it takes effect when it is started the next time: %s", distro->name,
                           error->message);
}

/* What berth.conf has to say that makes the change look as if it did nothing; or NULL. */
static char *objection(Berth *berth, const BerthDistro *distro, const BerthAccess *denied)
{
    g_autoptr(BerthSettings) settings = berth_private_settings(berth, distro->name, NULL);
    if (settings == NULL)
        return NULL;
    if (denied == NULL)
        return settings->isolated ? g_strdup_printf("%s is isolated by berth.conf: it reaches no "
                                                    "port of this host all the same",
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
        return false; /* together they would be too many */
    if (ports->host_all &&
        !berth_registry_allow_port(berth->registry, distro, BERTH_REGISTRY_ALL_PORTS, error))
        return false;
    for (guint i = 0; i < ports->n_ports; i++)
        if (!berth_registry_allow_port(berth->registry, distro, ports->ports[i], error))
            return false;
    return true;
}

/* One of them would go on to be reached. */
static bool set_all_allowed(const BerthDistro *distro, guint16 port, GError **error)
{
    g_autofree char *hint =
        g_strdup_printf("begin anew: berth host deny %s all, then allow some", distro->name);
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
        return set_all_allowed(distro, ports->ports[0], error);
    for (guint i = 0; i < ports->n_ports; i++)
        if (!berth_registry_deny_port(berth->registry, distro, ports->ports[i], error))
            return false;
    return true;
}

static bool change(Berth *berth, const char *name, const char *const *words, bool denies,
                   char **ret_notice, GError **error)
{
    BerthAccess ports;
    if (!read_ports(words, &ports, error))
        return false;
    g_autoptr(BerthDistro) distro = berth_private_find(berth, name, error);
    if (distro == NULL || berth_private_runtime(berth, error) == NULL ||
        !(denies ? deny : allow)(berth, distro, &ports, error))
        return false;
    g_autofree char *allowed = read_allowed(berth, distro, error);
    if (allowed == NULL)
        return false;
    *ret_notice = apply(berth, distro, allowed);
    if (*ret_notice == NULL)
        *ret_notice = objection(berth, distro, denies ? &ports : NULL);
    return true;
}

bool berth_host_allow(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                      GError **error)
{
    return change(berth, name, ports, false, ret_notice, error);
}

bool berth_host_deny(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                     GError **error)
{
    return change(berth, name, ports, true, ret_notice, error);
}

bool berth_host_allow_once(int connection, guint16 port, GError **error)
{
    return berth_control_allow_host_port(connection, port, error);
}

/* --- looking --- */

/* Such as that of a proxy which a command of it was told of. */
static const char by_session[] = "session";

static void add_port(BerthHostAccess *access, guint port, const char *origin)
{
    BerthHostPort *row = g_new(BerthHostPort, 1);
    *row = (BerthHostPort){.port = port, .origin = origin, .temporary = origin == by_session};
    g_ptr_array_add(access->ports, row);
}

static bool add_ports(BerthHostAccess *access, const char *text, const char *origin, GError **error)
{
    BerthAccess ports = {.known = 1};
    if (text == NULL)
        return true;
    if (!berth_access_add_ports(&ports, text, error))
        return false;
    if (ports.host_all)
        add_port(access, 0, origin);
    for (guint i = 0; i < ports.n_ports; i++)
        add_port(access, ports.ports[i], origin);
    return true;
}

/* What its keeper allowed beside that, if it runs and answers. */
static bool add_temporary(BerthHostAccess *access, const Berth *berth, const BerthDistro *distro,
                          GError **error)
{
    berth_autofd int fd = berth_private_connect(berth, distro, NULL);
    if (fd < 0)
        return true;
    berth_private_limit_waiting(fd, ANSWER_TIMEOUT_SEC);
    g_autoptr(BerthInstanceStatus) status = berth_control_status(fd, NULL);
    return status == NULL || add_ports(access, status->host_ports, by_session, error);
}

static gint compare_ports(gconstpointer left, gconstpointer right)
{
    const BerthHostPort *a = *(BerthHostPort *const *)left;
    const BerthHostPort *b = *(BerthHostPort *const *)right;
    return a->port != b->port ? (gint)a->port - (gint)b->port : g_strcmp0(a->origin, b->origin);
}

static BerthHostAccess *access_of(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_private_settings(berth, distro->name, error);
    g_autofree char *allowed =
        settings != NULL ? berth_registry_host_ports(berth->registry, distro, error) : NULL;
    if (allowed == NULL)
        return NULL;
    g_autoptr(BerthHostAccess) access = g_new0(BerthHostAccess, 1);
    access->distro = g_strdup(distro->name);
    access->isolated = settings->isolated;
    access->outbound = g_strdup(settings->outbound != NULL ? settings->outbound : "");
    access->ports = g_ptr_array_new_with_free_func(g_free);
    if (!add_ports(access, settings->host_ports, "berth.conf", error)) {
        g_prefix_error(error, "host-ports: ");
        return NULL;
    }
    if (!add_ports(access, allowed, "berth host", error) ||
        !add_temporary(access, berth, distro, error))
        return NULL;
    g_ptr_array_sort(access->ports, compare_ports);
    return g_steal_pointer(&access);
}

GPtrArray *berth_host_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_host_access_free);
    BerthRegistry *registry = berth_private_registry(berth, error);
    g_autoptr(GPtrArray) distros =
        registry == NULL || berth_private_runtime(berth, error) == NULL ? NULL
        : name == NULL ? berth_registry_list(registry, error)
                       : g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
    if (distros == NULL)
        return NULL;
    if (name != NULL) {
        BerthDistro *distro = berth_registry_find(registry, name, error);
        if (distro == NULL)
            return NULL;
        g_ptr_array_add(distros, distro);
    }
    for (guint i = 0; i < distros->len; i++) {
        BerthHostAccess *access = access_of(berth, distros->pdata[i], error);
        if (access == NULL)
            return NULL;
        g_ptr_array_add(list, access);
    }
    return g_steal_pointer(&list);
}
