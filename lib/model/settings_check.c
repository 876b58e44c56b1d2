/* SPDX-License-Identifier: MIT */
#include "settings_check.h"

#include "base/error.h"
#include "distro.h"
#include "settings.h"
#include "settings_line.h"
#include "words/nearest.h"

#include <string.h>

#define PREFIX "BERTH_"

/* A reserved name is a known group: distros of old registries may have one. */
static bool is_known_group(const char *group)
{
    if (berth_settings_line_is_group(group, NULL))
        return true;
    if (g_ascii_strncasecmp(group, BERTH_SETTINGS_DISTRO, strlen(BERTH_SETTINGS_DISTRO)) != 0)
        return false;
    g_autoptr(GError) problem = NULL;
    return berth_distro_check_name(group + strlen(BERTH_SETTINGS_DISTRO), &problem) ||
           strcmp(berth_error_id(problem), "name.reserved") == 0;
}

static char *describe_unknown_key(const BerthSettingsLine *line)
{
    const char *meant = berth_field_nearest(berth_settings_fields, line->key);
    g_autofree char *advice = meant != NULL ? g_strdup_printf("did you mean %s?", meant)
                                            : g_strdup("\"berth config\" lists the keys");
    return g_strdup_printf("unknown key \"%.80s\" in [%.80s]: %s", line->key, line->group, advice);
}

static char *describe_unknown_group(const char *group)
{
    g_autofree char *first = g_strndup(group, strcspn(group, " "));
    Nearest nearest = {.word = first};
    nearest_offer(&nearest, group[strlen(first)] == '\0' ? "berth" : "distro");
    g_autofree char *advice =
        nearest.closest != NULL && nearest.mistakes > 0 /* otherwise the distro's name is wrong */
            ? g_strdup_printf("did you mean [%s%.80s]?", nearest.closest, group + strlen(first))
            : g_strdup("groups are [berth] and [distro NAME]");
    return g_strdup_printf("unknown group \"%.80s\": %s", group, advice);
}

/* Describe the problem of a key's line, or return NULL. */
static char *describe_key(const BerthSettingsLine *line, BerthSettings *scratch, GHashTable *lines)
{
    const BerthField *field = berth_field_find(berth_settings_fields, line->key);
    if (field == NULL)
        return describe_unknown_key(line);

    if (!berth_settings_line_is_group(line->group, NULL) &&
        (field->flags & BERTH_FIELD_GLOBAL) != 0)
        return g_strdup_printf("\"%s\" applies to all distros: write it in [berth]", field->name);

    g_autoptr(GError) problem = NULL;
    bool escaped = strchr(line->value, '\\') != NULL; /* only GKeyFile can unescape the value */
    if (!escaped && !berth_field_parse(field, scratch, line->value, &problem))
        return g_strdup(problem->message);

    g_autofree char *lower = g_ascii_strdown(line->group, -1);
    char *place = g_strdup_printf("%s]%s", lower, field->name);
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(lines, place));
    g_hash_table_replace(lines, place, GUINT_TO_POINTER(line->number));
    if (before == 0)
        return NULL;
    return g_strdup_printf("\"%s\" replaces the value of line %u in the same group", field->name,
                           before);
}

char **berth_settings_check(const char *text, const char *origin)
{
    g_autoptr(GStrvBuilder) warnings = g_strv_builder_new();
    g_autoptr(GHashTable) lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(BerthSettings) scratch = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    g_auto(BerthSettingsLine) line = {.next = berth_settings_begin(text)};
    bool known = false;
    while (berth_settings_line_next(&line)) {
        g_autofree char *fault = NULL;
        if (line.key != NULL) {
            fault = known ? describe_key(&line, scratch, lines) : NULL;
        } else {
            known = is_known_group(line.group);
            if (!known)
                fault = describe_unknown_group(line.group);
        }
        if (fault == NULL)
            continue;
        g_autofree char *warning = g_strdup_printf("%s:%u: %s", origin, line.number, fault);
        g_strv_builder_add(warnings, warning);
    }
    return g_strv_builder_end(warnings);
}

static bool is_setting(const char *variable)
{
    for (const BerthField *field = berth_settings_fields; field->name != NULL; field++) {
        g_autofree char *name = berth_settings_variable(field->name);
        if (g_str_equal(name, variable))
            return true;
    }
    return false;
}

/* Variables of berth that are no settings: paths of its programs, and variables of sessions. */
static bool is_known(const char *variable)
{
    static const char *const names[] = {"BERTH_SUPPORT_DIR", "BERTH_ENV", "BERTH_DISTRO", NULL};
    return g_strv_contains(names, variable) || g_str_has_prefix(variable, "BERTH_TEST_") ||
           g_str_has_prefix(variable, "BERTH_FAULT_");
}

static char *advise_variable(const char *variable)
{
    g_autofree char *key = g_strdelimit(g_strdup(variable + strlen(PREFIX)), "_", '-');
    const char *meant = berth_field_nearest(berth_settings_fields, key);
    if (meant == NULL)
        return g_strdup("\"berth config\" lists the keys");
    g_autofree char *name = berth_settings_variable(meant);
    return g_strdup_printf("did you mean %s?", name);
}

char **berth_settings_check_environment(const char *const *environment)
{
    g_autoptr(GStrvBuilder) warnings = g_strv_builder_new();
    for (; *environment != NULL; environment++) {
        g_autofree char *name = g_strndup(*environment, strcspn(*environment, "="));
        if (!g_str_has_prefix(name, PREFIX) || is_known(name) || is_setting(name))
            continue;
        g_autofree char *advice = advise_variable(name);
        g_autofree char *line =
            g_strdup_printf("environment: %.80s is not a setting: %s", name, advice);
        g_strv_builder_add(warnings, line);
    }
    return g_strv_builder_end(warnings);
}
