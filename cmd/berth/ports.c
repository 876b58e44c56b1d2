/* SPDX-License-Identifier: MIT
 *
 * berth ports — lists the listening ports of distros, and whether they are forwarded to localhost.
 */
#include "commands.h"

#include "json.h"
#include "print.h"

#include <stdio.h>

static const Option options[] = {
    {"watch", 'w', NULL, "Print each change, too, until the distro stops"},
    {"json", 0, NULL, "For programs, as JSON; with --watch an object per line"},
    {NULL},
};

enum { COLUMNS = 7 };
static const char *const headings[COLUMNS + 1] = {"PORT",    "PROTOCOL", "STATE",  "DISTRO",
                                                  "PROCESS", "HOST",     "REASON", NULL};

/* Format @port as cells; free with g_strfreev. */
static char **make_row(const BerthPort *port)
{
    char **row = g_new0(char *, COLUMNS + 1);
    row[0] = g_strdup_printf("%u", port->port);
    row[1] = g_strdup(port->protocol);
    row[2] = g_strdup(port->state);
    row[3] = g_strdup(port->distro);
    row[4] = g_strdup(port->owner[0] != '\0' ? port->owner : "-");
    row[5] = g_strdup(port->host != NULL ? port->host : "-");
    row[6] = g_strdup(port->reason != NULL ? port->reason : "");
    return row;
}

static void print_text(const GPtrArray *ports)
{
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < ports->len; i++) {
        g_auto(GStrv) row = make_row(ports->pdata[i]);
        for (guint j = 0; j < COLUMNS; j++)
            table_add(table, row[j]);
    }
    table_print(table);
}

static void add_json(Json *json, const BerthPort *port)
{
    json_begin_object(json, NULL);
    json_add_string(json, "distro", port->distro);
    json_add_string(json, "protocol", port->protocol);
    json_add_number(json, "port", port->port);
    json_add_number(json, "host_port", port->host_port);
    json_begin_array(json, "addresses");
    for (gsize j = 0; port->addresses[j] != NULL; j++)
        json_add_string(json, NULL, port->addresses[j]);
    json_end(json);
    json_add_string(json, "origin", port->origin);
    json_add_string(json, "state", port->state);
    json_add_string(json, "process", port->owner);
    json_add_string(json, "reason", port->reason);
    json_end(json);
}

static void print_json(const GPtrArray *ports, bool in_one_line)
{
    Json *json = json_begin(in_one_line);
    json_begin_array(json, "ports");
    for (guint i = 0; i < ports->len; i++)
        add_json(json, ports->pdata[i]);
    json_end(json);
    json_print(json);
}

/* --- watch mode --- */

/* The lines shown last, as a set; NULL at first. */
typedef GHashTable *Lines;

static GHashTable *make_lines(const GPtrArray *ports)
{
    GHashTable *lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < ports->len; i++) {
        g_auto(GStrv) row = make_row(ports->pdata[i]);
        char *line = g_strjoinv("  ", row);
        for (char *c = g_strchomp(line); *c != '\0'; c++)
            if (g_ascii_iscntrl(*c))
                *c = '?';
        g_hash_table_add(lines, line);
    }
    return lines;
}

static void print_difference(char sign, GHashTable *lines, GHashTable *others)
{
    GHashTableIter iter;
    gpointer line;
    g_hash_table_iter_init(&iter, lines);
    while (g_hash_table_iter_next(&iter, &line, NULL))
        if (!g_hash_table_contains(others, line))
            printf("%c %s\n", sign, (const char *)line);
}

static bool show_text(const GPtrArray *ports, gpointer user_data)
{
    Lines *before = user_data;
    GHashTable *now = make_lines(ports);
    if (*before == NULL) {
        print_text(ports);
    } else {
        print_difference('-', *before, now);
        print_difference('+', now, *before);
        g_hash_table_unref(*before);
    }
    *before = now;
    return fflush(stdout) == 0;
}

static bool show_json(const GPtrArray *ports, gpointer user_data)
{
    print_json(ports, true);
    return !ferror(stdout);
}

static int watch(Invocation *invocation, GError **error)
{
    Lines before = NULL;
    bool json = invocation_flag(invocation, "json");
    bool ok = berth_ports_watch(invocation->berth, invocation->subject,
                                json ? show_json : show_text, &before, error);
    g_clear_pointer(&before, g_hash_table_unref);
    return ok ? 0 : -1;
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    if (invocation_flag(invocation, "watch"))
        return watch(invocation, error);
    g_autoptr(GPtrArray) ports = berth_ports(invocation->berth, invocation->subject, error);
    if (ports == NULL)
        return -1;
    if (invocation_flag(invocation, "json"))
        print_json(ports, false);
    else
        print_text(ports);
    return 0;
}

const Command command_ports = {
    .name = "ports",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "List the ports that distros listen on",
    .details = "Without NAME, the command lists the ports of all running distros. An open port\n"
               "is on 127.0.0.1, on ::1, and on the distro's own address, which \"berth list\n"
               "--json\" shows. HOST names further addresses. REASON says why a port is not on\n"
               "localhost, or what failed. With --watch, the command prints the table and then\n"
               "each change, marked + or -.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
