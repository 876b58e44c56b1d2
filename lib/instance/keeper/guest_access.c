/* SPDX-License-Identifier: MIT */
#include "guest_access.h"

#include "base/error.h"
#include "instance/host/host_addresses.h"

#include <stdio.h>
#include <unistd.h>

/* Refused ports that are reported: a guest may scan all of them. */
#define REPORTED_MAX 64u

struct BerthGuestAccess {
    const BerthMachine *machine;
    char *allowed;                 /* by the registry */
    GArray *temporary;             /* guint16: ports allowed until the distro stops */
    GHashTable *reported;          /* a set of ports reported to the user */
    BerthAccess access;            /* the resulting policy */
    BerthHostAddresses *addresses; /* while isolated, or NULL */
    void (*changed)(gpointer user_data);
    gpointer user_data;
};

/* The file has the first and the last group that may open ping sockets: icmp(7). */
bool berth_guest_access_may_ping(const char *path)
{
    g_autofree char *text = NULL;
    guint first, last;
    if (!g_file_get_contents(path, &text, NULL, NULL) || sscanf(text, "%u %u", &first, &last) != 2)
        return true; /* unknown: let socket() decide */

    int count = getgroups(0, NULL);
    g_autofree gid_t *groups = g_new(gid_t, MAX(count, 0) + 1);
    count = MAX(getgroups(MAX(count, 0), groups), 0);
    groups[count] = getegid();
    for (int i = 0; i <= count; i++)
        if (groups[i] >= first && groups[i] <= last)
            return true;
    return false;
}

/* Recompute ->access. On failure it keeps its value. */
static bool rebuild(BerthGuestAccess *guest, const char *allowed, GError **error)
{
    BerthAccess access = {0};
    if (!berth_machine_access(guest->machine, allowed, &access, error))
        return false;
    for (guint i = 0; i < guest->temporary->len; i++)
        berth_access_allow(&access, g_array_index(guest->temporary, guint16, i));
    if (access.isolated)
        berth_host_addresses_put(&access);
    access.no_ping = !berth_guest_access_may_ping(BERTH_GUEST_ACCESS_PING);
    guest->access = access;
    return true;
}

static void on_addresses_changed(gpointer user_data)
{
    BerthGuestAccess *guest = user_data;
    if (rebuild(guest, guest->allowed, NULL))
        guest->changed(guest->user_data);
}

BerthGuestAccess *berth_guest_access_new(const BerthMachine *machine,
                                         void (*changed)(gpointer user_data), gpointer user_data,
                                         GError **error)
{
    g_autoptr(BerthGuestAccess) guest = g_new0(BerthGuestAccess, 1);
    guest->machine = machine;
    guest->allowed = g_strdup(machine->host_allowed);
    guest->temporary = g_array_new(FALSE, FALSE, sizeof(guint16));
    guest->reported = g_hash_table_new(NULL, NULL);
    guest->changed = changed;
    guest->user_data = user_data;
    /* Watch before the first read, so that no change is missed. */
    if (machine->isolated) {
        guest->addresses = berth_host_addresses_new(on_addresses_changed, guest, error);
        if (guest->addresses == NULL)
            return NULL;
    }
    return rebuild(guest, guest->allowed, error) ? g_steal_pointer(&guest) : NULL;
}

void berth_guest_access_free(BerthGuestAccess *guest)
{
    if (guest == NULL)
        return;
    berth_host_addresses_free(guest->addresses);
    g_array_unref(guest->temporary);
    g_hash_table_unref(guest->reported);
    g_free(guest->allowed);
    g_free(guest);
}

const BerthAccess *berth_guest_access_get(const BerthGuestAccess *guest)
{
    return &guest->access;
}

bool berth_guest_access_set_allowed(BerthGuestAccess *guest, const char *ports, GError **error)
{
    if (!rebuild(guest, ports, error))
        return false;
    g_free(guest->allowed);
    guest->allowed = g_strdup(ports);
    guest->changed(guest->user_data);
    return true;
}

bool berth_guest_access_allow(BerthGuestAccess *guest, guint16 port, GError **error)
{
    if (berth_access_host(&guest->access, port) == BERTH_ACCESS_OPEN)
        return true;
    if (guest->access.isolated) {
        berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL,
                        "%s is isolated: it reaches no port of this host", guest->machine->name);
        return false;
    }
    if (!berth_access_allow(&guest->access, port)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "access.ports", "allow all of them: \"all\"",
                        "more than %d ports of the host", BERTH_ACCESS_PORTS_MAX);
        return false;
    }
    g_array_append_val(guest->temporary, port);
    guest->changed(guest->user_data);
    return true;
}

char *berth_guest_access_temporary(const BerthGuestAccess *guest)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < guest->temporary->len; i++)
        g_string_append_printf(text, "%s%u", i > 0 ? "," : "",
                               g_array_index(guest->temporary, guint16, i));
    return g_string_free(text, FALSE);
}

char *berth_guest_access_refused_line(BerthGuestAccess *guest, guint16 port)
{
    const char *name = guest->machine->name;
    if (g_hash_table_size(guest->reported) == REPORTED_MAX ||
        !g_hash_table_add(guest->reported, GUINT_TO_POINTER(port)))
        return NULL;
    if (guest->access.isolated)
        return g_strdup_printf("%s tried port %u of this host, but is isolated", name, port);
    return g_strdup_printf(
        "%s tried port %u of this host: allow it with \"berth host allow %s %u\"", name, port, name,
        port);
}
