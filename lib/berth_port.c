/* SPDX-License-Identifier: MIT
 *
 * The public functions about open ports, over lib/lifecycle.
 */
#include "berth_port.h"

#include "lifecycle/port_lists.h"

void berth_port_free(BerthPort *port)
{
    if (port == NULL)
        return;
    g_free(port->distro);
    g_free(port->protocol);
    g_free(port->host);
    g_strfreev(port->addresses);
    g_free(port->origin);
    g_free(port->state);
    g_free(port->owner);
    g_free(port->reason);
    g_free(port);
}

static char **open_addresses(const BerthForward *forward)
{
    GPtrArray *list = g_ptr_array_new();
    for (guint i = 0; i < BERTH_LEGS; i++) {
        const BerthLeg *leg = &forward->legs[i];
        if (leg->state == BERTH_FORWARD_OPEN)
            g_ptr_array_add(list, berth_rule_address_text(leg->family, leg->host));
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/* The port's place on the host, unless it is the same port of localhost; else NULL. */
static char *host_of(const BerthForward *forward)
{
    BerthRule rule = forward->rule;
    rule.host_port = forward->host_port;
    bool same = rule.family == 0 && rule.host_port == rule.guest_port;
    return same ? NULL : berth_rule_host(&rule);
}

static BerthPort *public_port(const char *distro, const BerthForward *forward)
{
    BerthPort *port = g_new0(BerthPort, 1);
    port->distro = g_strdup(distro);
    port->protocol = g_strdup(berth_protocol_word(forward->rule.protocol));
    port->port = forward->rule.guest_port;
    port->host_port = forward->host_port;
    port->origin = g_strdup(berth_origin_word(forward->origin));
    port->addresses = open_addresses(forward);
    port->host = host_of(forward);
    port->state = g_strdup(berth_forward_state_word(forward->state));
    port->owner = g_strdup(forward->owner);
    port->reason = g_strdup(forward->reason);
    return port;
}

/* @list is that of lib/lifecycle/port_lists.h. */
static GPtrArray *public_ports(const GPtrArray *list)
{
    GPtrArray *ports = g_ptr_array_new_with_free_func((GDestroyNotify)berth_port_free);
    for (guint i = 0; i < list->len; i++) {
        const BerthDistroPorts *of = list->pdata[i];
        for (guint j = 0; j < of->forwards->len; j++)
            g_ptr_array_add(ports, public_port(of->distro, of->forwards->pdata[j]));
    }
    return ports;
}

GPtrArray *berth_ports(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) list = berth_port_lists_read(berth, name, error);
    return list != NULL ? public_ports(list) : NULL;
}

typedef struct {
    bool (*func)(const GPtrArray *ports, gpointer user_data);
    gpointer user_data;
} PortsWatch;

static bool on_ports(const GPtrArray *list, gpointer user_data)
{
    const PortsWatch *watch = user_data;
    g_autoptr(GPtrArray) ports = public_ports(list);
    return watch->func(ports, watch->user_data);
}

bool berth_ports_watch(Berth *berth, const char *name,
                       bool (*func)(const GPtrArray *ports, gpointer user_data), gpointer user_data,
                       GError **error)
{
    PortsWatch watch = {func, user_data};
    return berth_port_lists_follow(berth, name, on_ports, &watch, error);
}
