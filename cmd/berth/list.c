/* SPDX-License-Identifier: MIT
 *
 * berth list — shows the distros and their state. Starts nothing.
 */
#include "commands.h"

#include "base/size.h"
#include "json.h"
#include "online.h"
#include "print.h"

#include <stdio.h>
#include <string.h>

static const Option options[] = {
    {"verbose", 'v', NULL, "Show uptime, memory, disk and ports too"},
    {"running", 0, NULL, "Only distros that are not stopped"},
    {"quiet", 'q', NULL, "Only the names"},
    {"all", 0, NULL, "All distros, which is the default"},
    {"online", 'o', NULL, "List the distros that you can install instead"},
    {"json", 0, NULL, "For programs, as JSON"},
    {NULL},
};

static bool is_stopped(const BerthInfo *info)
{
    return strcmp(info->state, "stopped") == 0;
}

static bool is_running(const BerthInfo *info)
{
    return info->keeper_pid != 0 || strcmp(info->state, "unresponsive") == 0;
}

static void print_names(const GPtrArray *infos)
{
    for (guint i = 0; i < infos->len; i++)
        printf("%s\n", ((const BerthInfo *)infos->pdata[i])->name);
}

static char *state_text(const BerthInfo *info)
{
    return info->reason != NULL ? g_strdup_printf("%s (%s)", info->state, info->reason)
                                : g_strdup(info->state);
}

static char *marked_name(const BerthInfo *info)
{
    return g_strdup_printf("%c %s", info->is_default ? '*' : ' ', info->name);
}

static void print_short(const GPtrArray *infos)
{
    static const char *const headings[] = {"  NAME", "STATE", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < infos->len; i++) {
        const BerthInfo *info = infos->pdata[i];
        table_add_take(table, marked_name(info));
        table_add_take(table, state_text(info));
    }
    table_print_fitting(table);
}

static char *ports_text(const BerthInfo *info)
{
    const guint most = 8;
    GString *text = g_string_new(info->n_ports == 0 ? "-" : "");
    for (guint i = 0; i < MIN(info->n_ports, most); i++)
        g_string_append_printf(text, "%s%u", i > 0 ? "," : "", info->ports[i]);
    if (info->n_ports > most)
        g_string_append(text, ",...");
    return g_string_free(text, FALSE);
}

/* Used space and limit: the limit alone (1 TiB by default) would alarm users. */
static char *disk_text(const BerthInfo *info)
{
    if (info->disk == NULL)
        return g_strdup("-");
    g_autofree char *used = berth_size_format(info->disk_used);
    g_autofree char *size = berth_size_format(info->disk_size);
    g_autofree char *snapshots = berth_size_format(info->snapshots_used);
    if (info->snapshots_used > 0)
        return g_strdup_printf("%s of %s, snapshots %s", used, size, snapshots);
    return g_strdup_printf("%s of %s", used, size);
}

static void add_details(Table *table, const BerthInfo *info)
{
    table_add_take(table, marked_name(info));
    table_add_take(table, state_text(info));
    table_add_take(table,
                   info->started_usec == 0 ? g_strdup("-") : print_duration(info->uptime_usec));
    table_add_take(table,
                   info->memory_used == 0 ? g_strdup("-") : berth_size_format(info->memory_used));
    table_add_take(table, disk_text(info));
    table_add(table, info->accel != NULL && info->accel[0] != '\0' ? info->accel : "-");
    table_add_take(table, ports_text(info));
}

static void print_long(const GPtrArray *infos)
{
    static const char *const headings[] = {"  NAME", "STATE", "UPTIME", "MEMORY",
                                           "DISK",   "ACCEL", "PORTS",  NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < infos->len; i++)
        add_details(table, infos->pdata[i]);
    table_print_fitting(table);
}

static void add_running(Json *json, const BerthInfo *info)
{
    json_add_time(json, "started", info->started_usec);
    json_add_string(json, "accel", info->accel);
    json_add_number(json, "memory_used", info->memory_used);
    json_add_number(json, "sessions", info->sessions);
    json_add_number(json, "keeper_pid", info->keeper_pid);
    json_add_number(json, "qemu_pid", info->qemu_pid);
    json_add_string(json, "kernel", info->kernel);
    json_add_string(json, "init", info->init);
    json_add_string(json, "init_status", info->init_status);
    json_add_time(json, "due", info->due_usec);
    json_add_string(json, "due_for", info->due_name);

    json_begin_array(json, "ports");
    for (guint i = 0; i < info->n_ports; i++)
        json_add_number(json, NULL, info->ports[i]);
    json_end(json);
}

static void add_distro(Json *json, const BerthInfo *info)
{
    json_begin_object(json, NULL);
    json_add_string(json, "name", info->name);
    json_add_string(json, "id", info->id);
    json_add_number(json, "number", info->slot);
    json_add_string(json, "address", info->address);
    json_add_bool(json, "default", info->is_default);
    json_add_bool(json, "autostart", info->autostart);
    if (info->template != NULL)
        json_add_string(json, "template", info->template);
    json_add_string(json, "state", info->state);
    if (info->reason != NULL)
        json_add_string(json, "reason", info->reason);
    if (info->holder_pid != 0)
        json_add_number(json, "holder_pid", info->holder_pid);
    json_add_time(json, "created", info->created_usec);
    json_add_string(json, "disk", info->disk);
    json_add_number(json, "disk_size", info->disk_size);
    json_add_number(json, "disk_used", info->disk_used);
    json_add_number(json, "snapshots_used", info->snapshots_used);
    if (is_running(info))
        add_running(json, info);
    json_end(json);
}

static void print_json(const GPtrArray *infos)
{
    Json *json = json_begin(false);
    json_begin_array(json, "distros");
    for (guint i = 0; i < infos->len; i++)
        add_distro(json, infos->pdata[i]);
    json_end(json);
    json_print(json);
}

static const struct {
    const char *option; /* the last row, without a name, is the default */
    void (*print)(const GPtrArray *infos);
} formats[] = {
    {"json", print_json}, {"quiet", print_names}, {"verbose", print_long}, {NULL, print_short}};

static bool check_options(const Invocation *invocation, GError **error)
{
    static const char *const conflicts[][2] = {{"quiet", "verbose"},
                                               {"all", "running"},
                                               {"online", "verbose"},
                                               {"online", "running"},
                                               {"online", "all"}};
    for (gsize i = 0; i < G_N_ELEMENTS(conflicts); i++) {
        if (!invocation_flag(invocation, conflicts[i][0]) ||
            !invocation_flag(invocation, conflicts[i][1]))
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                        "--%s and --%s cannot be used together", conflicts[i][0], conflicts[i][1]);
        return false;
    }
    return true;
}

static int run(Invocation *invocation, GError **error)
{
    if (!check_options(invocation, error))
        return -1;
    if (invocation_flag(invocation, "online"))
        return online_print(invocation, error);
    g_autoptr(GPtrArray) infos = berth_list(invocation->berth, error);
    if (infos == NULL)
        return -1;
    bool none = infos->len == 0;
    for (guint i = infos->len; i > 0 && invocation_flag(invocation, "running"); i--)
        if (is_stopped(infos->pdata[i - 1]))
            g_ptr_array_remove_index(infos, i - 1);

    gsize format = 0;
    while (formats[format].option != NULL && !invocation_flag(invocation, formats[format].option))
        format++;
    formats[format].print(infos);
    if (none && formats[format].option == NULL)
        fprintf(stderr, "berth: there are no distros yet: berth install NAME\n");
    return 0;
}

const Command command_list = {
    .name = "list",
    .spellings = "--list -l ls",
    .synopsis = "[OPTION]...",
    .summary = "List the distros and their states",
    .details = "* marks the default distro. MEMORY is the memory of this host that a distro uses\n"
               "now. DISK is the disk space that it uses now, and the size to which it may grow.",
    .options = options,
    .run = run,
};
