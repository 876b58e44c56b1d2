/* SPDX-License-Identifier: MIT
 *
 * berth ports — the ports that listen in distros, and whether they are on localhost.
 */
#include "commands.h"

#include "json.h"
#include "print.h"

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

static void print_text(const GPtrArray *ports)
{
    static const char *const headings[] = {"PORT",    "PROTOCOL", "STATE", "DISTRO",
                                           "PROCESS", "REASON",   NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < ports->len; i++) {
        const BerthPort *port = ports->pdata[i];
        table_add_take(table, g_strdup_printf("%u", port->port));
        table_add(table, port->protocol);
        table_add(table, port->state);
        table_add(table, port->distro);
        table_add(table, port->owner[0] != '\0' ? port->owner : "-");
        table_add(table, port->reason != NULL ? port->reason : "");
    }
    table_print(table);
}

static void print_json(const GPtrArray *ports)
{
    JsonBuilder *builder = json_begin();
    json_builder_set_member_name(builder, "ports");
    json_builder_begin_array(builder);
    for (guint i = 0; i < ports->len; i++) {
        const BerthPort *port = ports->pdata[i];
        json_builder_begin_object(builder);
        json_add_string(builder, "distro", port->distro);
        json_add_string(builder, "protocol", port->protocol);
        json_add_number(builder, "port", port->port);
        json_add_number(builder, "host_port", port->host_port);
        json_builder_set_member_name(builder, "addresses");
        json_builder_begin_array(builder);
        for (gsize j = 0; port->addresses[j] != NULL; j++)
            json_builder_add_string_value(builder, port->addresses[j]);
        json_builder_end_array(builder);
        json_add_string(builder, "origin", port->origin);
        json_add_string(builder, "state", port->state);
        json_add_string(builder, "process", port->owner);
        json_add_string(builder, "reason", port->reason);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    json_print(builder);
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    g_autoptr(GPtrArray) ports = berth_ports(invocation->berth, invocation->subject, error);
    if (ports == NULL)
        return -1;
    if (invocation_flag(invocation, "json"))
        print_json(ports);
    else
        print_text(ports);
    return 0;
}

const Command command_ports = {
    .name = "ports",
    .synopsis = "[OPTION]... [NAME]",
    .summary = "List the ports that listen in distros and are on localhost",
    .details =
        "Without NAME: of every distro that runs. REASON says why a port is not on localhost.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
