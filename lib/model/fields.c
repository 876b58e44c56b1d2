/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include "base/error.h"
#include "base/size.h"
#include "words/nearest.h"

#include <string.h>

#define MEMBER(type, object, field) ((type *)(void *)((char *)(object) + (field)->offset))
#define CONST_MEMBER(type, object, field)                                                          \
    ((type const *)(const void *)((const char *)(object) + (field)->offset))

static void clear_member(const BerthField *field, gpointer object)
{
    if (field->type == BERTH_FIELD_STRING)
        g_clear_pointer(MEMBER(char *, object, field), g_free);
    else if (field->type == BERTH_FIELD_LIST)
        g_clear_pointer(MEMBER(char **, object, field), g_strfreev);
}

void berth_fields_clear(const BerthField *fields, gpointer object)
{
    for (const BerthField *field = fields; field->name != NULL; field++)
        clear_member(field, object);
}

void berth_fields_init(const BerthField *fields, gpointer object)
{
    for (const BerthField *field = fields; field->name != NULL; field++) {
        clear_member(field, object);
        if (field->initial != NULL) {
            bool ok = berth_field_parse(field, object, field->initial, NULL);
            g_assert(ok); /* otherwise the table is wrong */
        } else if (field->type == BERTH_FIELD_LIST) {
            *MEMBER(char **, object, field) = g_new0(char *, 1);
        }
    }
}

const BerthField *berth_field_find(const BerthField *fields, const char *name)
{
    for (const BerthField *field = fields; field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

const char *berth_field_nearest(const BerthField *fields, const char *name)
{
    Nearest nearest = {.word = name};
    for (const BerthField *field = fields; field->name != NULL; field++)
        nearest_offer(&nearest, field->name);
    return nearest.closest;
}

static bool parse_bool(const char *text, bool *ret_value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},   {"1", true},
                 {"false", false}, {"no", false}, {"off", false}, {"0", false}};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(words[i].word, text) != 0)
            continue;
        *ret_value = words[i].value;
        return true;
    }
    return false;
}

static bool in_range(const BerthField *field, guint64 value)
{
    return value >= field->min && (field->max == 0 || value <= field->max);
}

static bool parse_number(const BerthField *field, gpointer object, const char *text)
{
    guint64 value;
    if (field->type == BERTH_FIELD_SIZE) {
        if (!berth_size_parse(text, &value) || !in_range(field, value))
            return false;
        *MEMBER(guint64, object, field) = value;
        return true;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT, &value, NULL) ||
        !in_range(field, value))
        return false;
    *MEMBER(guint, object, field) = (guint)value;
    return true;
}

static bool parse_word(const BerthField *field, gpointer object, const char *text)
{
    for (guint i = 0; field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], text) != 0)
            continue;
        *MEMBER(guint, object, field) = i;
        return true;
    }
    return false;
}

static char **split_list(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ";", -1);
    GPtrArray *list = g_ptr_array_new();
    for (gsize i = 0; parts[i] != NULL; i++)
        if (*g_strstrip(parts[i]) != '\0')
            g_ptr_array_add(list, g_strdup(parts[i]));
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

static char *describe_range(const BerthField *field)
{
    bool size = field->type == BERTH_FIELD_SIZE;
    guint64 least = MAX(field->min, field->raised_to);
    g_autofree char *min =
        size ? berth_size_format(least) : g_strdup_printf("%" G_GUINT64_FORMAT, least);
    g_autofree char *max =
        size ? berth_size_format(field->max) : g_strdup_printf("%" G_GUINT64_FORMAT, field->max);
    const char *kind = field->raised_to != 0 ? "0, or a size such as 512M or 4G"
                       : size                ? "a size such as 512M or 4G"
                                             : "a number";
    return field->max == 0 ? g_strdup_printf("%s, at least %s", kind, min)
                           : g_strdup_printf("%s, from %s to %s", kind, min, max);
}

const char *const *berth_field_words(const BerthField *field)
{
    static const char *const truth[] = {"true", "false", NULL};
    if (field->type == BERTH_FIELD_BOOL)
        return truth;
    return field->type == BERTH_FIELD_WORD ? field->words : NULL;
}

char *berth_field_describe(const BerthField *field)
{
    switch (field->type) {
    case BERTH_FIELD_BOOL:
        return g_strdup("true or false");
    case BERTH_FIELD_WORD:
        return g_strjoinv(", ", (char **)field->words);
    case BERTH_FIELD_LIST:
        return g_strdup("values, separated by ;");
    case BERTH_FIELD_STRING:
        return g_strdup("text");
    case BERTH_FIELD_SIZE:
    case BERTH_FIELD_UINT:
        break;
    }
    return describe_range(field);
}

static char *advise_value(const BerthField *field, const char *text)
{
    Nearest nearest = {.word = text};
    for (guint i = 0; field->type == BERTH_FIELD_WORD && field->words[i] != NULL; i++)
        nearest_offer(&nearest, field->words[i]);
    if (nearest.closest != NULL)
        return g_strdup_printf("did you mean %s?", nearest.closest);
    g_autofree char *allowed = berth_field_describe(field);
    return g_strdup_printf(field->type == BERTH_FIELD_WORD ? "give one of: %s" : "give %s",
                           allowed);
}

static bool parse_value(const BerthField *field, gpointer object, const char *text)
{
    switch (field->type) {
    case BERTH_FIELD_STRING:
        clear_member(field, object);
        *MEMBER(char *, object, field) = *text != '\0' ? g_strdup(text) : NULL;
        return true;
    case BERTH_FIELD_LIST:
        clear_member(field, object);
        *MEMBER(char **, object, field) = split_list(text);
        return true;
    case BERTH_FIELD_BOOL:
        return parse_bool(text, MEMBER(bool, object, field));
    case BERTH_FIELD_WORD:
        return parse_word(field, object, text);
    case BERTH_FIELD_SIZE:
    case BERTH_FIELD_UINT:
        return parse_number(field, object, text);
    }
    return false;
}

/* Run the field's own check; adds its hint to the error. */
static bool check_text(const BerthField *field, const char *text, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (field->check == NULL || field->check(text, &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "config.value", berth_error_hint(problem), "%s: %s",
                    field->name, problem->message);
    return false;
}

bool berth_field_parse(const BerthField *field, gpointer object, const char *text, GError **error)
{
    if (!check_text(field, text, error))
        return false;
    if (parse_value(field, object, text))
        return true;

    g_autofree char *hint = advise_value(field, text);
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "config.value", hint,
                    "%s: \"%.80s\" is not allowed", field->name, shown);
    return false;
}

char *berth_field_format(const BerthField *field, gconstpointer object)
{
    switch (field->type) {
    case BERTH_FIELD_STRING: {
        const char *text = *CONST_MEMBER(char *, object, field);
        return g_strdup(text != NULL ? text : "");
    }
    case BERTH_FIELD_LIST:
        return g_strjoinv(";", *CONST_MEMBER(char **, object, field));
    case BERTH_FIELD_SIZE:
        return g_strdup_printf("%" G_GUINT64_FORMAT, *CONST_MEMBER(guint64, object, field));
    case BERTH_FIELD_UINT:
        return g_strdup_printf("%u", *CONST_MEMBER(guint, object, field));
    case BERTH_FIELD_BOOL:
        return g_strdup(*CONST_MEMBER(bool, object, field) ? "true" : "false");
    case BERTH_FIELD_WORD:
        return g_strdup(field->words[*CONST_MEMBER(guint, object, field)]);
    }
    return g_strdup("");
}

bool berth_fields_parse_words(const BerthField *fields, gpointer object, char *const *words,
                              const char *step, const char *program, GError **error)
{
    berth_fields_init(fields, object);
    for (; *words != NULL; words++) {
        g_auto(GStrv) pair = g_strsplit(*words, "=", 2);
        const BerthField *field = pair[0] != NULL ? berth_field_find(fields, pair[0]) : NULL;
        if (field == NULL || pair[1] == NULL) {
            berth_error_set(error, BERTH_ERROR_INVALID, step, NULL, "%s: unknown option %s",
                            program, *words);
            return false;
        }
        if (!berth_field_parse(field, object, pair[1], error))
            return false;
    }
    return true;
}

static bool set_unknown_key(const BerthField *fields, const char *group, const char *key,
                            const char *origin, GError **error)
{
    const char *meant = berth_field_nearest(fields, key);
    g_autofree char *hint = meant != NULL ? g_strdup_printf("did you mean %s?", meant)
                                          : g_strdup("\"berth config\" lists the keys");
    berth_error_set(error, BERTH_ERROR_INVALID, "config.key", hint, "%s: [%s] has no key \"%s\"",
                    origin, group, key);
    return false;
}

bool berth_fields_load_key(const BerthField *fields, gpointer object, GKeyFile *file,
                           const char *group, const char *key, const char *origin, GError **error)
{
    const BerthField *field = berth_field_find(fields, key);
    if (field == NULL)
        return set_unknown_key(fields, group, key, origin, error);

    g_autoptr(GError) problem = NULL;
    g_autofree char *text = g_key_file_get_string(file, group, key, &problem);
    if (problem != NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "config.value",
                        "the escapes are \\s, \\n, \\t, \\r and \\\\; text is UTF-8",
                        "%s: the value is not UTF-8, or has an unknown escape", key);
    else if (berth_field_parse(field, object, text, error))
        return true;
    g_prefix_error(error, "%s: ", origin);
    return false;
}

bool berth_fields_load(const BerthField *fields, gpointer object, GKeyFile *file, const char *group,
                       const char *origin, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(file, group, NULL, NULL);
    for (gsize i = 0; keys != NULL && keys[i] != NULL; i++)
        if (!berth_fields_load_key(fields, object, file, group, keys[i], origin, error))
            return false;
    return true;
}

void berth_fields_save(const BerthField *fields, gconstpointer object, GKeyFile *file,
                       const char *group)
{
    for (const BerthField *field = fields; field->name != NULL; field++) {
        g_autofree char *text = berth_field_format(field, object);
        g_key_file_set_string(file, group, field->name, text);
    }
}
