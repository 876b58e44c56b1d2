/* SPDX-License-Identifier: MIT
 *
 * berth start — boots a distro without running anything in it.
 */
#include "commands.h"

#include "base/fd.h"
#include "json.h"
#include "print.h"

#include <stdio.h>

static const Option options[] = {
    {"timing", 0, NULL, "Print how long each stage of the last start took"},
    {"json", 0, NULL, "The same for programs, as JSON"},
    {"rescue", 0, NULL, "Only mount the disk, for berth console"},
    {"isolated", 0, NULL, "Block this host's ports and addresses until it stops"},
    {"dry-run", 0, NULL, "Only print the command line of QEMU"},
    {NULL},
};

static char *seconds(gint64 usec)
{
    return g_strdup_printf("%.3f", (double)usec / G_USEC_PER_SEC);
}

static void print_text(const GPtrArray *stages)
{
    static const char *const headings[] = {"STAGE", "AT (s)", "TOOK (s)", "PROBLEM", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < stages->len; i++) {
        const BerthStage *stage = stages->pdata[i];
        table_add(table, stage->name);
        table_add_take(table, seconds(stage->end_usec));
        table_add_take(table, seconds(stage->took_usec));
        table_add(table, stage->problem != NULL ? stage->problem : "");
    }
    table_print(table);
}

static void print_json(const GPtrArray *stages)
{
    Json *json = json_begin(false);
    json_begin_array(json, "stages");
    for (guint i = 0; i < stages->len; i++) {
        const BerthStage *stage = stages->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "name", stage->name);
        json_add_number(json, "end_usec", (guint64)stage->end_usec);
        json_add_number(json, "took_usec", (guint64)stage->took_usec);
        json_add_string(json, "problem", stage->problem);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int print_command_line(Invocation *invocation, GError **error)
{
    g_autofree char *notice = NULL;
    g_autofree char *line =
        berth_command_line(invocation->berth, invocation->subject, &notice, error);
    print_notice(notice);
    if (line == NULL)
        return -1;
    printf("%s\n", line);
    return 0;
}

static int print_stages(const Invocation *invocation, int connection, GError **error)
{
    bool json = invocation_flag(invocation, "json");
    if (!json && !invocation_flag(invocation, "timing"))
        return 0;
    g_autoptr(GPtrArray) stages = berth_stages(connection, error);
    if (stages == NULL)
        return -1;
    (json ? print_json : print_text)(stages);
    return 0;
}

static int run(Invocation *invocation, GError **error)
{
    const BerthStart how = {.rescue = invocation_flag(invocation, "rescue"),
                            .isolated = invocation_flag(invocation, "isolated")};
    g_autofree char *notice = NULL;
    invocation->subject = invocation_first(invocation);
    if (invocation_flag(invocation, "dry-run"))
        return print_command_line(invocation, error);
    berth_autofd int connection =
        berth_connect_with(invocation->berth, invocation->subject, &how, &notice, error);
    print_notice(notice);
    return connection >= 0 ? print_stages(invocation, connection, error) : -1;
}

const Command command_start = {
    .name = "start",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "Start a distro and wait until it is up",
    .details = "With --rescue, the distro's fstab, init and boot command are skipped. Only its\n"
               "disk is mounted, if possible, and \"berth console\" opens a shell that needs\n"
               "nothing from the disk.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
