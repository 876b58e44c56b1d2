/* SPDX-License-Identifier: MIT
 *
 * berth snapshots — lists the snapshots of distros.
 */
#include "commands.h"

#include "base/size.h"
#include "json.h"
#include "print.h"
#include "snapshot_text.h"

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

static const char *author(const BerthSnapshotInfo *info)
{
    if (info->checkpoint)
        return "automatic";
    return info->automatic ? "restore" : "you";
}

static void print_text(const GPtrArray *infos)
{
    static const char *const headings[] = {"DISTRO", "TAG", "TAKEN", "BY", "USED", "MEMORY", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < infos->len; i++) {
        const BerthSnapshotInfo *info = infos->pdata[i];
        table_add(table, info->distro);
        table_add(table, info->tag);
        table_add_take(table, snapshot_time(info->taken_usec));
        table_add(table, author(info));
        table_add_take(table, info->missing ? g_strdup("its file is missing")
                                            : berth_size_format(info->used));
        table_add_take(table, info->memory > 0 ? berth_size_format(info->memory) : g_strdup("-"));
    }
    table_print(table);
}

static void print_json(const GPtrArray *infos)
{
    Json *json = json_begin(false);
    json_begin_array(json, "snapshots");
    for (guint i = 0; i < infos->len; i++) {
        const BerthSnapshotInfo *info = infos->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "distro", info->distro);
        json_add_string(json, "tag", info->tag);
        json_add_time(json, "taken", info->taken_usec);
        json_add_bool(json, "automatic", info->automatic);
        json_add_bool(json, "checkpoint", info->checkpoint);
        json_add_bool(json, "missing", info->missing);
        json_add_number(json, "disk_size", info->size);
        json_add_number(json, "disk_used", info->used);
        json_add_number(json, "memory_used", info->memory);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    g_autoptr(GPtrArray) infos = berth_snapshot_list(invocation->berth, invocation->subject, error);
    if (infos == NULL)
        return -1;
    (invocation_flag(invocation, "json") ? print_json : print_text)(infos);
    return 0;
}

const Command command_snapshots = {
    .name = "snapshots",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "List the snapshots of distros",
    .details = "USED is a snapshot's disk space, including blocks that it shares with the disk\n"
               "and with other snapshots. MEMORY is the disk space of its memory, if it has one.\n"
               "BY says who took it: you, automatic (the setting checkpoint; berth also removes\n"
               "these), or restore (the state that the last restore replaced).",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
