/* SPDX-License-Identifier: MIT */
#include "berth_setting.h"

#include "base/error.h"
#include "lifecycle/handle.h"
#include "lifecycle/reach.h"
#include "manage/compose.h"
#include "manage/settings_file.h"
#include "model/distro.h"
#include "model/settings_check.h"
#include "model/settings_edit.h"
#include "model/settings_wsl.h"
#include "store/template.h"

#include <string.h>

void berth_setting_free(BerthSetting *setting)
{
    if (setting == NULL)
        return;
    g_free(setting->name);
    g_free(setting->value);
    g_free(setting->initial);
    g_free(setting->allowed);
    g_free(setting->variable);
    g_free(setting);
}

void berth_setting_change_free(BerthSettingChange *change)
{
    if (change == NULL)
        return;
    g_free(change->path);
    g_free(change->group);
    g_free(change->key);
    g_free(change->value);
    g_free(change->instead);
    g_free(change->limit);
    g_free(change);
}

static BerthSetting *public_setting(const BerthField *field)
{
    BerthSetting *setting = g_new0(BerthSetting, 1);
    setting->name = g_strdup(field->name);
    setting->initial = g_strdup(field->initial != NULL ? field->initial : "");
    setting->allowed = berth_field_describe(field);
    setting->variable = berth_settings_variable(field->name);
    setting->help = field->help;
    setting->words = berth_field_words(field);
    setting->global = (field->flags & BERTH_FIELD_GLOBAL) != 0;
    setting->new_only = (field->flags & BERTH_FIELD_NEW) != 0;
    setting->at_once = (field->flags & BERTH_FIELD_AT_ONCE) != 0;
    return setting;
}

GPtrArray *berth_settings_known(void)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_setting_free);
    for (const BerthField *field = berth_settings_fields; field->name != NULL; field++)
        g_ptr_array_add(list, public_setting(field));
    return list;
}

/* A value that is the default is shown as the table writes it: 1T. */
static void add_value(BerthSetting *setting, const BerthField *field, const BerthSettings *settings,
                      const BerthSettings *initial, BerthSettingOrigin origin)
{
    static const BerthSettingSource sources[] = {
        [BERTH_SETTING_FROM_DEFAULT] = BERTH_SETTING_DEFAULT,
        [BERTH_SETTING_FROM_FILE] = BERTH_SETTING_FILE,
        [BERTH_SETTING_FROM_DISTRO] = BERTH_SETTING_DISTRO,
        [BERTH_SETTING_FROM_ENVIRONMENT] = BERTH_SETTING_ENVIRONMENT,
    };
    g_autofree char *value = berth_field_format(field, settings);
    g_autofree char *unchanged = berth_field_format(field, initial);
    setting->value = g_strdup(g_str_equal(value, unchanged) ? setting->initial : value);
    setting->source = sources[origin.from];
    setting->line = origin.line;
}

GPtrArray *berth_settings(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = name != NULL ? berth_handle_find(berth, name, error) : NULL;
    if (name != NULL && distro == NULL)
        return NULL;
    g_autofree BerthSettingOrigin *origins = berth_setting_origins_new();
    g_autoptr(BerthSettings) settings =
        berth_handle_trace(berth, distro != NULL ? distro->name : NULL, origins, error);
    if (settings == NULL)
        return NULL;

    g_autoptr(BerthSettings) initial = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    GPtrArray *list = berth_settings_known();
    for (guint i = 0; i < list->len; i++)
        add_value(list->pdata[i], &berth_settings_fields[i], settings, initial, origins[i]);
    return list;
}

static bool set_unknown_key(GError **error, const char *key)
{
    const char *meant = berth_field_nearest(berth_settings_fields, key);
    g_autofree char *hint = meant != NULL ? g_strdup_printf("did you mean %s?", meant)
                                          : g_strdup("\"berth config list\" lists the keys");
    g_autofree char *shown = g_strescape(key, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "config.key", hint, "there is no key \"%.80s\"",
                    shown);
    return false;
}

/* The key in berth.conf for @key, which may be WSL's; *@value (may be NULL) becomes
 * what that takes. */
static const char *own_key(const char *key, char **value, GError **error)
{
    const BerthWslKey *wsl =
        berth_field_find(berth_settings_fields, key) == NULL ? berth_wsl_key_find(key) : NULL;
    if (wsl == NULL)
        return key;
    if (wsl->ours == NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "config.wsl", wsl->instead,
                        "berth has no setting like WSL's %s", wsl->key);
        return NULL;
    }
    if (value == NULL || *value == NULL)
        return wsl->ours;
    g_autofree char *theirs = g_steal_pointer(value);
    return berth_wsl_convert(wsl, theirs, value);
}

BerthSetting *berth_setting_get(Berth *berth, const char *name, const char *given, GError **error)
{
    const char *key = own_key(given, NULL, error);
    if (key == NULL)
        return NULL;
    const BerthField *field = berth_field_find(berth_settings_fields, key);
    if (field == NULL)
        return set_unknown_key(error, key), NULL;
    g_autoptr(GPtrArray) list = berth_settings(berth, name, error);
    if (list == NULL)
        return NULL;
    g_ptr_array_set_free_func(list, NULL);
    BerthSetting *wanted = NULL;
    for (guint i = 0; i < list->len; i++)
        if (&berth_settings_fields[i] == field)
            wanted = list->pdata[i];
        else
            berth_setting_free(list->pdata[i]);
    return wanted;
}

char *berth_settings_path(Berth *berth)
{
    return berth_layout_settings(berth->layout);
}

static bool check_value(const BerthField *field, const char *value, GError **error)
{
    g_autoptr(BerthSettings) scratch = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    if (g_utf8_validate(value, -1, NULL))
        return berth_field_parse(field, scratch, value, error);
    berth_error_set(error, BERTH_ERROR_INVALID, "config.value", NULL, "%s: the value is not UTF-8",
                    field->name);
    return false;
}

/* The disk of @distro has its size already. */
static bool check_is_used(const BerthDistro *distro, const BerthField *field, GError **error)
{
    if ((field->flags & BERTH_FIELD_NEW) == 0)
        return true;
    g_autofree char *hint = g_strdup_printf("berth resize %s SIZE", distro->name);
    berth_error_set(error, BERTH_ERROR_INVALID, "config.new", hint,
                    "%s is for new distros, and %s has its disk", field->name, distro->name);
    return false;
}

/* Whether @key may be set to @value for @name, a distro or NULL. */
static bool check_set(Berth *berth, const char *name, const char *key, const char *value,
                      GError **error)
{
    const BerthField *field = berth_field_find(berth_settings_fields, key);
    if (field == NULL)
        return set_unknown_key(error, key);
    if (name != NULL && (field->flags & BERTH_FIELD_GLOBAL) != 0) {
        g_autofree char *hint = g_strdup_printf("berth config set %s VALUE", key);
        berth_error_set(error, BERTH_ERROR_INVALID, "config.global", hint,
                        "%s applies to all distros", key);
        return false;
    }
    g_autoptr(BerthDistro) distro = name != NULL ? berth_handle_find(berth, name, error) : NULL;
    return (name == NULL || (distro != NULL && check_is_used(distro, field, error))) &&
           check_value(field, value, error);
}

/* A key that there is not can still be removed where a file has it. */
static bool check_unset(Berth *berth, const char *name, const char *key, GError **error)
{
    if (berth_field_find(berth_settings_fields, key) != NULL)
        return name == NULL || berth_distro_check_name(name, error);
    g_autofree char *text = NULL;
    g_autofree char *path = NULL;
    if (!berth_template_read_settings(berth->layout, &text, &path, error))
        return false;
    return (text != NULL && berth_settings_has(text, name, key)) || set_unknown_key(error, key);
}

/* One edit, checked and in berth's own words. */
static BerthSettingChange *check_edit(Berth *berth, const char *name, const BerthSettingEdit *edit,
                                      GError **error)
{
    g_autofree char *value = g_strdup(edit->value);
    const char *key = own_key(edit->key, &value, error);
    if (key == NULL || !(value != NULL ? check_set(berth, name, key, value, error)
                                       : check_unset(berth, name, key, error)))
        return NULL;
    const BerthField *field = berth_field_find(berth_settings_fields, key);
    BerthSettingChange *change = g_new(BerthSettingChange, 1);
    *change = (BerthSettingChange){
        .path = berth_layout_settings(berth->layout),
        .group = name != NULL ? g_strdup_printf("distro %s", name) : g_strdup("berth"),
        .key = g_strdup(key),
        .value = g_steal_pointer(&value),
        .at_once = field != NULL && (field->flags & BERTH_FIELD_AT_ONCE) != 0,
    };
    return change;
}

static bool check_is_new(const GPtrArray *changes, const char *key, GError **error)
{
    for (guint i = 0; i < changes->len; i++) {
        if (!g_str_equal(((const BerthSettingChange *)changes->pdata[i])->key, key))
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "config.repeated", "give each key once",
                        "%s is given twice", key);
        return false;
    }
    return true;
}

static GPtrArray *check_edits(Berth *berth, const char *name, const BerthSettingEdit *edits,
                              gsize n_edits, GError **error)
{
    g_autoptr(GPtrArray) changes =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_setting_change_free);
    for (gsize i = 0; i < n_edits; i++) {
        g_autoptr(BerthSettingChange) change = check_edit(berth, name, &edits[i], error);
        if (change == NULL || !check_is_new(changes, change->key, error))
            return NULL;
        g_ptr_array_add(changes, g_steal_pointer(&change));
    }
    return g_steal_pointer(&changes);
}

static bool write_changes(Berth *berth, const char *name, GPtrArray *changes, GError **error)
{
    g_autofree BerthSettingsFileEdit *edits = g_new0(BerthSettingsFileEdit, changes->len);
    for (guint i = 0; i < changes->len; i++) {
        const BerthSettingChange *change = changes->pdata[i];
        edits[i] = (BerthSettingsFileEdit){.key = change->key, .value = change->value};
    }
    if (!berth_settings_file_set(berth->layout, name, edits, changes->len, error))
        return false;
    for (guint i = 0; i < changes->len; i++)
        ((BerthSettingChange *)changes->pdata[i])->changed = edits[i].changed;
    return true;
}

static bool is_running(Berth *berth, const char *name)
{
    g_autoptr(BerthDistro) distro = name != NULL ? berth_handle_find(berth, name, NULL) : NULL;
    g_autoptr(BerthDiskUser) keeper = distro != NULL ? berth_reach_keeper(distro) : NULL;
    return keeper != NULL;
}

/* Say what comes of @changes, which are in the file: nothing here fails any more. */
static void find_effects(Berth *berth, const char *name, GPtrArray *changes)
{
    bool running = is_running(berth, name);
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, name, NULL);
    for (guint i = 0; i < changes->len; i++) {
        BerthSettingChange *change = changes->pdata[i];
        g_autofree char *variable = berth_settings_variable(change->key);
        change->is_running = running;
        if (g_environ_getenv(berth->environment, variable) != NULL)
            change->instead = g_strdup_printf("%s in the environment", variable);
        if (settings != NULL && change->value != NULL)
            change->limit = berth_compose_over_ask(settings, change->key);
    }
}

GPtrArray *berth_settings_change(Berth *berth, const char *name, const BerthSettingEdit *edits,
                                 gsize n_edits, GError **error)
{
    g_autoptr(GPtrArray) changes = check_edits(berth, name, edits, n_edits, error);
    if (changes == NULL || !write_changes(berth, name, changes, error))
        return NULL;
    find_effects(berth, name, changes);
    return g_steal_pointer(&changes);
}

/* Every line's fault; if lines are well by themselves, what loading them says. */
static char **find_faults(const char *text, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = berth_settings_parse(berth_settings_begin(text), path, error);
    if (file == NULL)
        return NULL;
    g_auto(GStrv) faults = berth_settings_check(text, path);
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (gsize i = 0; faults[0] == NULL && groups[i] != NULL; i++) {
        const char *distro = strchr(groups[i], ' ');
        g_autoptr(GError) problem = NULL;
        g_autoptr(BerthSettings) settings =
            berth_settings_new(distro != NULL ? distro + 1 : NULL, text, path, NULL, &problem);
        if (settings == NULL) {
            const char *const found[] = {problem->message, NULL};
            return g_strdupv((char **)found);
        }
    }
    return g_steal_pointer(&faults);
}

char **berth_settings_faults(Berth *berth, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *own = NULL;
    if (path != NULL)
        text = berth_template_read_settings_at(path, error);
    else if (!berth_template_read_settings(berth->layout, &text, &own, error))
        return NULL;
    if (text == NULL)
        return path != NULL ? NULL : g_new0(char *, 1);
    return find_faults(text, path != NULL ? path : own, error);
}
