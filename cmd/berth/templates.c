/* SPDX-License-Identifier: MIT
 *
 * berth templates — lists the descriptions of distros that berth up and install --template take.
 */
#include "commands.h"

#include "json.h"
#include "print.h"

#include <stdio.h>

static const Option options[] = {
    {"quiet", 'q', NULL, "Only the names"},
    {"json", 0, NULL, "For programs, as JSON"},
    {NULL},
};

static void print_names(const GPtrArray *templates)
{
    for (guint i = 0; i < templates->len; i++)
        printf("%s\n", ((const BerthTemplate *)templates->pdata[i])->name);
}

static void print_text(const GPtrArray *templates)
{
    static const char *const headings[] = {"NAME", "WHAT IT IS", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < templates->len; i++) {
        const BerthTemplate *template = templates->pdata[i];
        table_add(table, template->name);
        table_add(table, template->summary);
    }
    table_print_fitting(table);
}

static void print_json(const GPtrArray *templates)
{
    Json *json = json_begin(false);
    json_begin_array(json, "templates");
    for (guint i = 0; i < templates->len; i++) {
        const BerthTemplate *template = templates->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "name", template->name);
        json_add_string(json, "summary", template->summary);
        json_add_string(json, "file", template->path);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int run(Invocation *invocation, GError **error)
{
    g_autoptr(GPtrArray) templates = berth_templates(invocation->berth);
    if (invocation_flag(invocation, "json"))
        print_json(templates);
    else
        (invocation_flag(invocation, "quiet") ? print_names : print_text)(templates);
    return 0;
}

const Command command_templates = {
    .name = "templates",
    .synopsis = "[OPTION]...",
    .summary = "List the templates for berth up and berth install --template",
    .details = "A template is a file with the same format as a project's berth.conf. Your own\n"
               "templates are NAME.conf in ~/.config/berth/templates; they take precedence. To\n"
               "see what a template does: berth up --template NAME --dry-run",
    .options = options,
    .run = run,
};
