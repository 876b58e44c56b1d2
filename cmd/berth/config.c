/* SPDX-License-Identifier: MIT
 *
 * berth config — shows the effective settings, from berth.conf and the environment.
 */
#include "commands.h"

#include "print.h"

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    g_autoptr(GPtrArray) settings = berth_settings(invocation->berth, invocation->subject, error);
    if (settings == NULL)
        return -1;

    static const char *const headings[] = {"KEY", "VALUE", "DEFAULT", "MEANING", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < settings->len; i++) {
        const BerthSetting *setting = settings->pdata[i];
        table_add(table, setting->name);
        table_add(table, setting->value[0] != '\0' ? setting->value : "-");
        table_add(table, setting->initial[0] != '\0' ? setting->initial : "-");
        table_add(table, setting->help);
    }
    table_print(table);
    return 0;
}

const Command command_config = {
    .name = "config",
    .synopsis = "[NAME]",
    .completes = "distro",
    .summary = "List the settings, in general or as they are for a distro",
    .details =
        "They come from BERTH_* variables (BERTH_MEMORY for memory), then from [distro NAME]\n"
        "and then from [berth] in berth.conf, which \"berth status\" locates.",
    .max_arguments = 1,
    .run = run,
};
