/* SPDX-License-Identifier: MIT
 *
 * berth config — shows, changes and checks the settings, from berth.conf and the environment.
 */
#include "commands.h"

#include "action.h"
#include "json.h"
#include "print.h"
#include "setting_text.h"

#include <stdio.h>

static const Option options[] = {
    {"distro", 'd', "NAME", "The settings of this distro, not of all distros"},
    {"json", 0, NULL, "With list: for programs, as JSON"},
    {NULL},
};

static void print_text(const GPtrArray *settings, const char *path)
{
    static const char *const headings[] = {"KEY", "VALUE", "DEFAULT", "FROM", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < settings->len; i++) {
        const BerthSetting *setting = settings->pdata[i];
        table_add(table, setting->name);
        table_add(table, setting->value[0] != '\0' ? setting->value : "-");
        table_add(table, setting->initial[0] != '\0' ? setting->initial : "-");
        table_add_take(table, setting_text_source(setting, path));
    }
    table_print_fitting(table);
}

static void print_json(const GPtrArray *settings, const char *path, const char *distro)
{
    Json *json = json_begin(false);
    json_add_string(json, "file", path);
    json_add_string(json, "distro", distro);
    json_begin_array(json, "settings");
    for (guint i = 0; i < settings->len; i++)
        setting_text_add(json, settings->pdata[i]);
    json_end(json);
    json_print(json);
}

static int list_of(Invocation *invocation, const char *distro, GError **error)
{
    invocation->subject = distro;
    g_autoptr(GPtrArray) settings = berth_settings(invocation->berth, distro, error);
    if (settings == NULL)
        return -1;
    g_autofree char *path = berth_settings_path(invocation->berth);
    if (invocation_flag(invocation, "json"))
        print_json(settings, path, distro);
    else
        print_text(settings, path);
    return 0;
}

static int list(Invocation *invocation, GError **error)
{
    return list_of(invocation, invocation_value(invocation, "distro"), error);
}

static int get(Invocation *invocation, GError **error)
{
    const char *key = invocation->arguments[1];
    invocation->subject = key;
    g_autoptr(BerthSetting) setting =
        berth_setting_get(invocation->berth, invocation_value(invocation, "distro"), key, error);
    if (setting == NULL)
        return -1;
    printf("%s\n", setting->value);
    return 0;
}

static void print_change(const BerthSettingChange *change)
{
    const char *key = change->key;
    const char *value = change->value;
    if (value != NULL)
        printf("%s = %s in [%s] of %s: ", key, value, change->group, change->path);
    else
        printf("%s is not set in [%s] of %s: ", key, change->group, change->path);
    if (!change->changed)
        printf("as it was\n");
    else
        printf("takes effect %s\n", change->at_once ? "now" : "at a distro's next start");
    setting_text_warn(change);
}

static int change(Invocation *invocation, const char *value, GError **error)
{
    const BerthSettingEdit edit = {invocation->arguments[1], value};
    invocation->subject = edit.key;
    g_autoptr(GPtrArray) changes = berth_settings_change(
        invocation->berth, invocation_value(invocation, "distro"), &edit, 1, error);
    if (changes == NULL)
        return -1;
    print_change(changes->pdata[0]);
    return 0;
}

static int set(Invocation *invocation, GError **error)
{
    return change(invocation, invocation->arguments[2], error);
}

static int unset(Invocation *invocation, GError **error)
{
    return change(invocation, NULL, error);
}

/* The findings are the result, so they are on standard output; the status tells programs. */
static int check(Invocation *invocation, GError **error)
{
    const char *path = invocation->n_arguments > 1 ? invocation->arguments[1] : NULL;
    invocation->subject = path;
    g_auto(GStrv) faults = berth_settings_faults(invocation->berth, path, error);
    if (faults == NULL)
        return -1;
    for (gsize i = 0; faults[i] != NULL; i++)
        printf("%s\n", faults[i]);
    return faults[0] != NULL ? 1 : 0;
}

static const Action actions[] = {
    {"get", 2, 2, "json", get},
    {"set", 3, 3, "json", set},
    {"list", 1, 1, NULL, list},
    {"unset", 2, 2, "json", unset},
    {"check", 1, 2, "json", check},
    {"ls", 1, 1, NULL, list},
    {NULL},
};

static bool is_action(const char *word)
{
    for (const Action *action = actions; action->word != NULL; action++)
        if (g_str_equal(action->word, word))
            return true;
    return false;
}

/* "berth config debian" lists a distro's settings. */
static int run(Invocation *invocation, GError **error)
{
    const char *first = invocation_first(invocation);
    if (first == NULL)
        return list(invocation, error);
    if (invocation->n_arguments == 1 && !is_action(first))
        return list_of(invocation, first, error);
    return action_run(actions, "usage: berth config list|check, get|unset KEY, set KEY VALUE",
                      invocation, error);
}

const Command command_config = {
    .name = "config",
    .synopsis = "[list|get|set|unset|check] [OPTION]... [KEY] [VALUE]",
    .completes = "list|get|set|unset|check setting value",
    .summary = "List, change and check the settings",
    .details =
        "The value of a key comes from the first of these that has it: the environment\n"
        "(BERTH_MEMORY for memory), [distro NAME] in berth.conf, [berth] in berth.conf,\n"
        "the default. \"berth status\" shows the path of berth.conf, and berth.conf(5)\n"
        "describes the keys.\n"
        "\n"
        "  berth config                          list every key with its value\n"
        "  berth config get memory               print one value\n"
        "  berth config set memory 4G            for all distros\n"
        "  berth config set -d debian memory 8G  for one distro\n"
        "  berth config unset memory             remove the line\n"
        "  berth config check                    list the lines that have no effect\n"
        "\n"
        "\"set\" and \"unset\" change one line of the file and keep the rest. \"check\" also\n"
        "accepts another file (check FILE), and fails if it finds a problem.",
    .max_arguments = 3,
    .options = options,
    .run = run,
};
