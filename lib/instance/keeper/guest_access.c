/* SPDX-License-Identifier: MIT */
#include "guest_access.h"

#include "base/error.h"
#include "instance/host/host_addresses.h"

#include <stdio.h>
#include <unistd.h>

/* Of ports the user hears of: a guest may try them all. */
#define TOLD_MAX 64u

struct BerthWalls {
    const BerthMachine *machine;
    char *allowed;                 /* by the registry */
    GArray *temporary;             /* guint16: ports allowed until the distro stops */
    GHashTable *told;              /* ports the user has heard of, a set */
    BerthAccess access;            /* what all that comes to */
    BerthHostAddresses *addresses; /* while isolated, or NULL */
    void (*changed)(gpointer user_data);
    gpointer user_data;
};

/* By the first and the last group that may. Source: icmp(7). */
bool berth_walls_may_ping(const char *path)
{
    g_autofree char *text = NULL;
    guint first, last;
    if (!g_file_get_contents(path, &text, NULL, NULL) || sscanf(text, "%u %u", &first, &last) != 2)
        return true; /* another kernel: let it say so */

    int count = getgroups(0, NULL);
    g_autofree gid_t *groups = g_new(gid_t, MAX(count, 0) + 1);
    count = MAX(getgroups(MAX(count, 0), groups), 0);
    groups[count] = getegid();
    for (int i = 0; i <= count; i++)
        if (groups[i] >= first && groups[i] <= last)
            return true;
    return false;
}

/* Change nothing unless all of it can be had. */
static bool rebuild(BerthWalls *walls, const char *allowed, GError **error)
{
    BerthAccess access = {0};
    if (!berth_machine_access(walls->machine, allowed, &access, error))
        return false;
    for (guint i = 0; i < walls->temporary->len; i++)
        berth_access_allow(&access, g_array_index(walls->temporary, guint16, i));
    if (access.isolated)
        berth_host_addresses_put(&access);
    access.no_ping = !berth_walls_may_ping(BERTH_WALLS_PING);
    walls->access = access;
    return true;
}

static void on_addresses_changed(gpointer user_data)
{
    BerthWalls *walls = user_data;
    if (rebuild(walls, walls->allowed, NULL))
        walls->changed(walls->user_data);
}

BerthWalls *berth_walls_new(const BerthMachine *machine, void (*changed)(gpointer user_data),
                            gpointer user_data, GError **error)
{
    g_autoptr(BerthWalls) walls = g_new0(BerthWalls, 1);
    walls->machine = machine;
    walls->allowed = g_strdup(machine->host_allowed);
    walls->temporary = g_array_new(FALSE, FALSE, sizeof(guint16));
    walls->told = g_hash_table_new(NULL, NULL);
    walls->changed = changed;
    walls->user_data = user_data;
    /* Watched before they are read, so that no change is missed. */
    if (machine->isolated) {
        walls->addresses = berth_host_addresses_new(on_addresses_changed, walls, error);
        if (walls->addresses == NULL)
            return NULL;
    }
    return rebuild(walls, walls->allowed, error) ? g_steal_pointer(&walls) : NULL;
}

void berth_walls_free(BerthWalls *walls)
{
    if (walls == NULL)
        return;
    berth_host_addresses_free(walls->addresses);
    g_array_unref(walls->temporary);
    g_hash_table_unref(walls->told);
    g_free(walls->allowed);
    g_free(walls);
}

const BerthAccess *berth_walls_access(const BerthWalls *walls)
{
    return &walls->access;
}

bool berth_walls_set_allowed(BerthWalls *walls, const char *ports, GError **error)
{
    if (!rebuild(walls, ports, error))
        return false;
    g_free(walls->allowed);
    walls->allowed = g_strdup(ports);
    walls->changed(walls->user_data);
    return true;
}

bool berth_walls_allow(BerthWalls *walls, guint16 port, GError **error)
{
    if (berth_access_host(&walls->access, port) == BERTH_ACCESS_OPEN)
        return true;
    if (walls->access.isolated) {
        berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL,
                        "%s is isolated: it reaches no port of this host", walls->machine->name);
        return false;
    }
    if (!berth_access_allow(&walls->access, port)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "access.ports", "allow all of them: \"all\"",
                        "more than %d ports of the host", BERTH_ACCESS_PORTS_MAX);
        return false;
    }
    g_array_append_val(walls->temporary, port);
    walls->changed(walls->user_data);
    return true;
}

char *berth_walls_temporary(const BerthWalls *walls)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < walls->temporary->len; i++)
        g_string_append_printf(text, "%s%u", i > 0 ? "," : "",
                               g_array_index(walls->temporary, guint16, i));
    return g_string_free(text, FALSE);
}

char *berth_walls_refused(BerthWalls *walls, guint16 port)
{
    const char *name = walls->machine->name;
    if (g_hash_table_size(walls->told) == TOLD_MAX ||
        !g_hash_table_add(walls->told, GUINT_TO_POINTER(port)))
        return NULL;
    if (walls->access.isolated)
        return g_strdup_printf("%s tried port %u of this host, but is isolated", name, port);
    return g_strdup_printf(
        "%s tried port %u of this host: allow it with \"berth host allow %s %u\"", name, port, name,
        port);
}
