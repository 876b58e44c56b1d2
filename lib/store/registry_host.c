/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"

/* Run @sql, whose parameters are the distro's id and the port. */
static bool change(BerthRegistry *registry, const char *sql, const BerthDistro *distro, guint port,
                   GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry, sql, distro->id, NULL, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 2, port);
    return berth_registry_step(registry, statement, error) == SQLITE_DONE;
}

bool berth_registry_allow_port(BerthRegistry *registry, const BerthDistro *distro, guint port,
                               GError **error)
{
    return change(registry, "INSERT OR IGNORE INTO host_port VALUES (?1, ?2)", distro, port, error);
}

bool berth_registry_deny_port(BerthRegistry *registry, const BerthDistro *distro, guint port,
                              GError **error)
{
    if (!change(registry, "DELETE FROM host_port WHERE distro = ?1 AND port = ?2", distro, port,
                error))
        return false;
    if (sqlite3_changes(registry->db) == 1)
        return true;
    g_autofree char *hint =
        g_strdup_printf("\"berth host list %s\" shows those that are", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "host.not-allowed", hint,
                    "port %u of this host was not allowed", port);
    return false;
}

bool berth_registry_deny_all(BerthRegistry *registry, const BerthDistro *distro, GError **error)
{
    return change(registry, "DELETE FROM host_port WHERE distro = ?1 AND port >= ?2", distro, 0,
                  error);
}

char *berth_registry_host_ports(BerthRegistry *registry, const BerthDistro *distro, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry, "SELECT port FROM host_port WHERE distro = ?1 ORDER BY port", distro->id, NULL,
        error);
    if (statement == NULL)
        return NULL;
    g_autoptr(GString) ports = g_string_new(NULL);
    int result;
    while ((result = berth_registry_step(registry, statement, error)) == SQLITE_ROW) {
        gint64 port = sqlite3_column_int64(statement, 0);
        g_string_append(ports, ports->len > 0 ? ", " : "");
        if (port == BERTH_REGISTRY_ALL_PORTS)
            g_string_append(ports, "all");
        else
            g_string_append_printf(ports, "%" G_GINT64_FORMAT, port);
    }
    return result == SQLITE_DONE ? g_string_free(g_steal_pointer(&ports), FALSE) : NULL;
}
