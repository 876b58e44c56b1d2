/* SPDX-License-Identifier: MIT
 *
 * berth host — lists and edits the ports of the host's localhost that distros may reach.
 */
#include "commands.h"

#include "action.h"
#include "json.h"
#include "print.h"

#include <string.h>

static const Option options[] = {{"json", 0, NULL, "With list: for programs, as JSON"}, {NULL}};

static void print_text(const GPtrArray *list)
{
    static const char *const headings[] = {"DISTRO", "PORT", "ALLOWED BY", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < list->len; i++) {
        const BerthHostAccess *access = list->pdata[i];
        bool none = access->isolated || access->ports->len == 0;
        for (guint j = 0; !none && j < access->ports->len; j++) {
            const BerthHostPort *port = access->ports->pdata[j];
            table_add(table, access->distro);
            table_add_take(table,
                           port->port == 0 ? g_strdup("all") : g_strdup_printf("%u", port->port));
            table_add_take(table, g_strdup_printf("%s%s", port->origin,
                                                  port->temporary ? ", until it stops" : ""));
        }
        if (none) {
            table_add(table, access->distro);
            table_add(table, "none");
            table_add(table, access->isolated ? "isolated" : "-");
        }
    }
    table_print(table);
}

static void add_port(Json *json, const BerthHostPort *port)
{
    json_begin_object(json, NULL);
    json_add_bool(json, "all", port->port == 0);
    if (port->port == 0)
        json_add_string(json, "port", NULL);
    else
        json_add_number(json, "port", port->port);
    json_add_string(json, "allowed_by", port->origin);
    json_add_bool(json, "temporary", port->temporary);
    json_end(json);
}

static void print_json(const GPtrArray *list)
{
    Json *json = json_begin(false);
    json_begin_array(json, "distros");
    for (guint i = 0; i < list->len; i++) {
        const BerthHostAccess *access = list->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "distro", access->distro);
        json_add_bool(json, "isolated", access->isolated);
        json_add_string(json, "outbound", access->outbound);
        json_begin_array(json, "ports");
        for (guint j = 0; j < access->ports->len; j++)
            add_port(json, access->ports->pdata[j]);
        json_end(json);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int list(Invocation *invocation, GError **error)
{
    invocation->subject = invocation->arguments[1];
    g_autoptr(GPtrArray) distros = berth_host_list(invocation->berth, invocation->subject, error);
    if (distros == NULL)
        return -1;
    (invocation_flag(invocation, "json") ? print_json : print_text)(distros);
    return 0;
}

static int change(Invocation *invocation,
                  bool (*how)(Berth *berth, const char *name, const char *const *ports,
                              char **ret_notice, GError **error),
                  GError **error)
{
    g_autofree char *notice = NULL;
    invocation->subject = invocation->arguments[1];
    const char *const *ports = (const char *const *)invocation->arguments + 2;
    if (!how(invocation->berth, invocation->subject, ports, &notice, error))
        return -1;
    print_notice(notice);
    return 0;
}

static int allow(Invocation *invocation, GError **error)
{
    return change(invocation, berth_host_allow, error);
}

static int deny(Invocation *invocation, GError **error)
{
    return change(invocation, berth_host_deny, error);
}

static const Action actions[] = {
    {"allow", 3, -1, "json", allow},
    {"deny", 3, -1, "json", deny},
    {"list", 1, 2, NULL, list},
    {"ls", 1, 2, NULL, list},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    return action_run(actions, "usage: berth host allow|deny NAME PORT...|all, or list [NAME]",
                      invocation, error);
}

const Command command_host = {
    .name = "host",
    .synopsis = "allow|deny NAME PORT...|all, or list [OPTION]... [NAME]",
    .completes = "allow|deny|list distro",
    .summary = "Allow distros to connect to ports of this host",
    .details = "In a distro, this host is host.berth.internal (10.0.2.2). Of this host's\n"
               "localhost, the distro reaches only the ports that you allow here or with\n"
               "host-ports in berth.conf. A change takes effect at once and stays; it does not\n"
               "close open connections. If a proxy variable of a command names this host's\n"
               "localhost, berth allows that port until the distro stops.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
