/* SPDX-License-Identifier: MIT
 *
 * berth changes — lists what a distro changed in its shares with --cow.
 */
#include "commands.h"

#include "json.h"
#include "print.h"

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

static bool has_conflict(const GPtrArray *changes)
{
    for (guint i = 0; i < changes->len; i++)
        if (((const BerthChange *)changes->pdata[i])->is_conflict)
            return true;
    return false;
}

static void print_text(const GPtrArray *changes)
{
    static const char *const headings[] = {"CHANGE", "FILE", "ON THIS HOST", NULL};
    static const char *const without_conflicts[] = {"CHANGE", "FILE", NULL};
    bool conflicts = has_conflict(changes);
    g_autoptr(Table) table = table_new(conflicts ? headings : without_conflicts);
    for (guint i = 0; i < changes->len; i++) {
        const BerthChange *change = changes->pdata[i];
        g_autofree char *path = g_strconcat(change->path, change->is_directory ? "/" : "", NULL);
        table_add(table, change->kind);
        table_add(table, path);
        if (conflicts)
            table_add(table, change->is_conflict ? "changed too" : "-");
    }
    table_print(table);
}

static void print_json(const GPtrArray *changes)
{
    Json *json = json_begin(false);
    json_begin_array(json, "changes");
    for (guint i = 0; i < changes->len; i++) {
        const BerthChange *change = changes->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "change", change->kind);
        json_add_string(json, "path", change->path);
        json_add_bool(json, "directory", change->is_directory);
        json_add_bool(json, "conflict", change->is_conflict);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int run(Invocation *invocation, GError **error)
{
    char **words = invocation->arguments;
    invocation->subject = words[0];
    g_autoptr(GPtrArray) changes = berth_changes(invocation->berth, words[0], words[1], error);
    if (changes == NULL)
        return -1;
    (invocation_flag(invocation, "json") ? print_json : print_text)(changes);
    return 0;
}

const Command command_changes = {
    .name = "changes",
    .synopsis = "[OPTION]... NAME [PATH]",
    .summary = "List a distro's changes in its copy-on-write shares",
    .details = "PATH, a file or directory of this host, limits the list. A directory that the\n"
               "distro added or replaced is one entry. \"changed too\" means that this host has\n"
               "also changed the file since the distro did.",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = "distro file",
    .options = options,
    .run = run,
};
