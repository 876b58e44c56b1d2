/* SPDX-License-Identifier: MIT
 *
 * berth set — shows and changes the settings of one distro, several at once.
 */
#include "commands.h"

#include "json.h"
#include "print.h"
#include "setting_text.h"

#include <stdio.h>
#include <string.h>

static const Option options[] = {
    {"unset", 0, "KEY", "Remove this distro's own value; may be repeated", "key"},
    {"json", 0, NULL, "For programs, as JSON"},
    {NULL},
};

/* The result of one call. */
typedef struct {
    const char *name;
    char *path;          /* berth.conf */
    GPtrArray *settings; /* BerthSetting *, those that a distro can have */
    GPtrArray *changes;  /* BerthSettingChange *; empty: nothing was asked for */
} Outcome;

static void outcome_clear(Outcome *outcome)
{
    g_free(outcome->path);
    g_clear_pointer(&outcome->settings, g_ptr_array_unref);
    g_clear_pointer(&outcome->changes, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

/* --- reading the words --- */

/* Split "KEY=VALUE"; the value is borrowed, and the key freed with g_free. */
static char *split_word(const char *word, const char **ret_value, GError **error)
{
    const char *equals = strchr(word, '=');
    *ret_value = equals != NULL ? equals + 1 : NULL;
    if (equals != NULL && equals != word)
        return g_strndup(word, (gsize)(equals - word));
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", "for example memory=8G",
                    "\"%.40s\" is not KEY=VALUE", shown);
    return NULL;
}

/* The settings to be changed, in the order of the words, then of --unset; keys are in @keys. */
static GArray *read_edits(const Invocation *invocation, GPtrArray *keys, GError **error)
{
    g_autoptr(GArray) edits = g_array_new(FALSE, FALSE, sizeof(BerthSettingEdit));
    for (int i = 1; i < invocation->n_arguments; i++) {
        BerthSettingEdit edit = {0};
        char *key = split_word(invocation->arguments[i], &edit.value, error);
        if (key == NULL)
            return NULL;
        g_ptr_array_add(keys, key);
        edit.key = key;
        g_array_append_val(edits, edit);
    }
    const char *unset;
    for (guint i = 0; (unset = invocation_nth_value(invocation, "unset", i)) != NULL; i++) {
        const BerthSettingEdit edit = {unset, NULL};
        g_array_append_val(edits, edit);
    }
    return g_steal_pointer(&edits);
}

/* --- text --- */

static bool needs_start(const BerthSettingChange *change)
{
    return change->changed && !change->at_once && change->is_running;
}

static const char *effect_of(const BerthSettingChange *change)
{
    if (!change->changed)
        return "as it was";
    return change->at_once ? "takes effect now" : "takes effect at the next start";
}

static void print_changes(const Outcome *outcome)
{
    bool pending = false;
    for (guint i = 0; i < outcome->changes->len; i++) {
        const BerthSettingChange *change = outcome->changes->pdata[i];
        if (change->value != NULL)
            printf("%s = %s: %s\n", change->key, change->value, effect_of(change));
        else
            printf("%s is not set: %s\n", change->key, effect_of(change));
        setting_text_warn(change);
        pending = pending || needs_start(change);
    }
    if (pending)
        printf("%s keeps its current values until it is stopped: berth terminate %s\n",
               outcome->name, outcome->name);
}

static void print_settings(const Outcome *outcome)
{
    static const char *const headings[] = {"KEY", "VALUE", "CHANGES", "FROM", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < outcome->settings->len; i++) {
        const BerthSetting *setting = outcome->settings->pdata[i];
        table_add(table, setting->name);
        table_add(table, setting->value[0] != '\0' ? setting->value : "-");
        table_add(table, setting->at_once ? "now" : "next start");
        table_add_take(table, setting_text_source(setting, outcome->path));
    }
    table_print_fitting(table);
}

/* --- JSON --- */

static void add_change(Json *json, const BerthSettingChange *change)
{
    json_begin_object(json, NULL);
    json_add_string(json, "key", change->key);
    json_add_string(json, "value", change->value);
    json_add_bool(json, "changed", change->changed);
    json_add_bool(json, "at_once", change->at_once);
    json_add_bool(json, "needs_start", needs_start(change));
    json_add_string(json, "instead", change->instead);
    json_add_string(json, "limit", change->limit);
    json_end(json);
}

static void print_json(const Outcome *outcome)
{
    Json *json = json_begin(false);
    json_add_string(json, "name", outcome->name);
    json_add_string(json, "file", outcome->path);
    json_begin_array(json, "changes");
    for (guint i = 0; i < outcome->changes->len; i++)
        add_change(json, outcome->changes->pdata[i]);
    json_end(json);
    json_begin_array(json, "settings");
    for (guint i = 0; i < outcome->settings->len; i++)
        setting_text_add(json, outcome->settings->pdata[i]);
    json_end(json);
    json_print(json);
}

/* --- the command --- */

static bool is_of_distro(const BerthSetting *setting)
{
    return !setting->global && !setting->new_only;
}

/* The settings of @name without those that hold for all distros or for new ones. */
static GPtrArray *settings_of(Berth *berth, const char *name, GError **error)
{
    GPtrArray *settings = berth_settings(berth, name, error);
    for (guint i = settings != NULL ? settings->len : 0; i > 0; i--)
        if (!is_of_distro(settings->pdata[i - 1]))
            g_ptr_array_remove_index(settings, i - 1);
    return settings;
}

static bool look_up(Berth *berth, Outcome *outcome, const GArray *edits, GError **error)
{
    outcome->path = berth_settings_path(berth);
    outcome->changes = edits->len > 0
                           ? berth_settings_change(berth, outcome->name,
                                                   (const BerthSettingEdit *)(void *)edits->data,
                                                   edits->len, error)
                           : g_ptr_array_new();
    if (outcome->changes == NULL)
        return false;
    outcome->settings = settings_of(berth, outcome->name, error);
    return outcome->settings != NULL;
}

static int run(Invocation *invocation, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) edits = read_edits(invocation, keys, error);
    if (edits == NULL)
        return -1;
    invocation->subject = invocation->arguments[0];
    g_autofree char *name = berth_resolve(invocation->berth, invocation->arguments[0], error);
    g_auto(Outcome) outcome = {.name = name};
    if (name == NULL || !look_up(invocation->berth, &outcome, edits, error))
        return -1;
    if (invocation_flag(invocation, "json"))
        print_json(&outcome);
    else
        (edits->len > 0 ? print_changes : print_settings)(&outcome);
    return 0;
}

const Command command_set = {
    .name = "set",
    .synopsis = "NAME [KEY=VALUE]... [OPTION]...",
    .completes = "distro assignment...",
    .summary = "Show or change the settings of a distro, such as its memory",
    .details = "Without KEY=VALUE, the command lists the settings of NAME, and where each value\n"
               "comes from.\n"
               "\n"
               "  berth set debian                    list them\n"
               "  berth set debian memory=8G cpus=4   change two\n"
               "  berth set debian --unset memory     use the value for all distros again\n"
               "\n"
               "The command makes all changes or none. It writes them below [distro NAME] in\n"
               "berth.conf, as \"berth config set -d NAME\" does. For each key, it prints whether\n"
               "the change takes effect now or at the next start of the distro. A distro never\n"
               "gets more memory or processors than this host has.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
