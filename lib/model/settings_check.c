/* SPDX-License-Identifier: MIT */
#include "settings_check.h"

#include "base/error.h"
#include "distro.h"
#include "settings.h"
#include "words/nearest.h"

#include <string.h>

#define DISTRO "distro "
#define PREFIX "BERTH_"

typedef struct {
    const char *next; /* unread text */
    guint line;       /* of the entry */
    char *group;      /* current group */
    char *key;        /* NULL: the entry is a group header */
    char *value;
} Scan;

static void scan_clear(Scan *scan)
{
    g_free(scan->group);
    g_free(scan->key);
    g_free(scan->value);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scan, scan_clear)

/* Read the entry in @line; false for comments and empty lines. */
static bool scan_line(Scan *scan, char *line)
{
    g_strstrip(line);
    g_clear_pointer(&scan->key, g_free);
    g_clear_pointer(&scan->value, g_free);
    char *end = line[0] == '[' ? strrchr(line, ']') : strchr(line, '=');
    if (line[0] == '#' || end == NULL)
        return false;

    *end = '\0';
    if (line[0] == '[') {
        g_free(scan->group);
        scan->group = g_strdup(line + 1);
        return true;
    }
    scan->key = g_strdup(g_strchomp(line));
    scan->value = g_strdup(g_strchug(end + 1));
    return true;
}

/* The next entry; false at the end of the text. */
static bool scan_next(Scan *scan)
{
    while (*scan->next != '\0') {
        size_t length = strcspn(scan->next, "\n");
        g_autofree char *line = g_strndup(scan->next, length);
        scan->next += length + (scan->next[length] == '\n');
        scan->line++;
        if (scan_line(scan, line))
            return true;
    }
    return false;
}

bool berth_settings_check_is_group(const char *group, const char *distro)
{
    if (distro == NULL)
        return g_ascii_strcasecmp(group, "berth") == 0;
    return g_ascii_strncasecmp(group, DISTRO, strlen(DISTRO)) == 0 &&
           g_ascii_strcasecmp(group + strlen(DISTRO), distro) == 0;
}

guint berth_settings_check_line(const char *text, const char *group, const char *key)
{
    g_auto(Scan) scan = {.next = text};
    guint line = 0;
    while (scan_next(&scan))
        if (scan.key != NULL && g_strcmp0(scan.group, group) == 0 && strcmp(scan.key, key) == 0)
            line = scan.line;
    return line;
}

/* A reserved name is a known group: distros of old registries may have one. */
static bool is_known_group(const char *group)
{
    if (berth_settings_check_is_group(group, NULL))
        return true;
    if (g_ascii_strncasecmp(group, DISTRO, strlen(DISTRO)) != 0)
        return false;
    g_autoptr(GError) problem = NULL;
    return berth_distro_check_name(group + strlen(DISTRO), &problem) ||
           strcmp(berth_error_id(problem), "name.reserved") == 0;
}

static char *describe_unknown_key(const Scan *scan)
{
    const char *meant = berth_field_nearest(berth_settings_fields, scan->key);
    g_autofree char *advice = meant != NULL ? g_strdup_printf("did you mean %s?", meant)
                                            : g_strdup("\"berth config\" lists the keys");
    return g_strdup_printf("unknown key \"%.80s\" in [%.80s]: %s", scan->key, scan->group, advice);
}

static char *describe_unknown_group(const char *group)
{
    g_autofree char *first = g_strndup(group, strcspn(group, " "));
    Nearest nearest = {.word = first};
    nearest_offer(&nearest, group[strlen(first)] == '\0' ? "berth" : "distro");
    g_autofree char *advice =
        nearest.closest != NULL
            ? g_strdup_printf("did you mean [%s%.80s]?", nearest.closest, group + strlen(first))
            : g_strdup("groups are [berth] and [distro NAME]");
    return g_strdup_printf("unknown group \"%.80s\": %s", group, advice);
}

/* Describe the problem of a key's line, or return NULL. */
static char *describe_key(const Scan *scan, BerthSettings *scratch, GHashTable *lines)
{
    const BerthField *field = berth_field_find(berth_settings_fields, scan->key);
    if (field == NULL)
        return describe_unknown_key(scan);

    if (!berth_settings_check_is_group(scan->group, NULL) && berth_settings_is_shared(field))
        return g_strdup_printf("\"%s\" applies to all distros: write it in [berth]", field->name);

    g_autoptr(GError) problem = NULL;
    bool escaped = strchr(scan->value, '\\') != NULL; /* only GKeyFile can unescape the value */
    if (!escaped && !berth_field_parse(field, scratch, scan->value, &problem))
        return g_strdup(problem->message);

    g_autofree char *lower = g_ascii_strdown(scan->group, -1);
    char *place = g_strdup_printf("%s]%s", lower, field->name);
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(lines, place));
    g_hash_table_replace(lines, place, GUINT_TO_POINTER(scan->line));
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
    g_auto(Scan) scan = {.next = text};
    bool known = false;
    while (scan_next(&scan)) {
        g_autofree char *fault = NULL;
        if (scan.key != NULL) {
            fault = known ? describe_key(&scan, scratch, lines) : NULL;
        } else {
            known = is_known_group(scan.group);
            if (!known)
                fault = describe_unknown_group(scan.group);
        }
        if (fault == NULL)
            continue;
        g_autofree char *warning = g_strdup_printf("%s:%u: %s", origin, scan.line, fault);
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
