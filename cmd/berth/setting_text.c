/* SPDX-License-Identifier: MIT */
#include "setting_text.h"

#include "print.h"

char *setting_text_source(const BerthSetting *setting, const char *path)
{
    switch (setting->source) {
    case BERTH_SETTING_DEFAULT:
        break;
    case BERTH_SETTING_FILE:
    case BERTH_SETTING_DISTRO:
        return g_strdup_printf("%s:%u", path, setting->line);
    case BERTH_SETTING_ENVIRONMENT:
        return g_strdup(setting->variable);
    }
    return g_strdup("default");
}

void setting_text_add(Json *json, const BerthSetting *setting)
{
    static const char *const sources[] = {
        [BERTH_SETTING_DEFAULT] = "default",
        [BERTH_SETTING_FILE] = "file",
        [BERTH_SETTING_DISTRO] = "distro",
        [BERTH_SETTING_ENVIRONMENT] = "environment",
    };
    json_begin_object(json, NULL);
    json_add_string(json, "key", setting->name);
    json_add_string(json, "value", setting->value);
    json_add_string(json, "default", setting->initial);
    json_add_string(json, "source", sources[setting->source]);
    if (setting->line != 0)
        json_add_number(json, "line", setting->line);
    else
        json_add_string(json, "line", NULL);
    json_add_string(json, "variable", setting->variable);
    json_add_string(json, "allowed", setting->allowed);
    json_add_bool(json, "global", setting->global);
    json_add_bool(json, "at_once", setting->at_once);
    json_add_string(json, "help", setting->help);
    json_end(json);
}

void setting_text_warn(const BerthSettingChange *change)
{
    g_autofree char *instead =
        change->instead != NULL
            ? g_strdup_printf("%s is used instead of the file's value", change->instead)
            : NULL;
    print_notice(instead);
    print_notice(change->limit);
}
