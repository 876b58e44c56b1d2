/* SPDX-License-Identifier: MIT */
#include "settings_edit.h"

#include "settings.h"
#include "settings_line.h"

#include <string.h>

/* What one pass over a text found. */
typedef struct {
    const char *last_key;   /* the last line of the key, or NULL */
    const char *insert;     /* where a new line of the group belongs, or NULL: no such group */
    const char *line_break; /* as the first line has it */
} Found;

static bool is_wanted(const BerthSettingsLine *line, const char *distro, const char *key)
{
    return line->key != NULL && strcmp(line->key, key) == 0 && line->group != NULL &&
           berth_settings_line_is_group(line->group, distro);
}

static Found find(const char *text, const char *distro, const char *key)
{
    Found found = {.line_break = "\n"};
    g_auto(BerthSettingsLine) line = {.next = text};
    const char *first = strchr(text, '\n');
    if (first != NULL && first > text && first[-1] == '\r')
        found.line_break = "\r\n";
    while (berth_settings_line_next(&line)) {
        if (line.group == NULL || !berth_settings_line_is_group(line.group, distro))
            continue;
        found.insert = line.next;
        if (is_wanted(&line, distro, key))
            found.last_key = line.begin;
    }
    return found;
}

/* @value as a key file writes it. */
static char *escape(const char *value)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_string(file, "g", "k", value);
    return g_key_file_get_value(file, "g", "k", NULL);
}

/* Append the line [@begin, @end) with another value. */
static void append_changed(GString *out, const char *begin, const char *end, const char *escaped)
{
    const char *rest = end;
    while (rest > begin && (rest[-1] == '\n' || rest[-1] == '\r'))
        rest--;
    const char *value = memchr(begin, '=', (size_t)(end - begin));
    value = value != NULL ? value + 1 : rest;
    while (value < rest && (*value == ' ' || *value == '\t'))
        value++;
    g_string_append_len(out, begin, value - begin);
    g_string_append(out, escaped);
    g_string_append_len(out, rest, end - rest);
}

/* Append @text with every line of the key removed but the last, which gets another value; with NULL
 * that is removed, too. */
static void append_edited(GString *out, const char *text, const char *distro, const char *key,
                          const char *last, const char *escaped)
{
    const char *copied = text;
    g_auto(BerthSettingsLine) line = {.next = text};
    while (berth_settings_line_next(&line)) {
        if (!is_wanted(&line, distro, key))
            continue;
        g_string_append_len(out, copied, line.begin - copied);
        if (line.begin == last && escaped != NULL)
            append_changed(out, line.begin, line.next, escaped);
        copied = line.next;
    }
    g_string_append(out, copied);
}

static void end_line(GString *out, const char *line_break)
{
    if (out->len > 0 && out->str[out->len - 1] != '\n')
        g_string_append(out, line_break);
}

/* Append @text with a new line at @found.insert, or in a new group at its end. */
static void append_added(GString *out, const char *text, const Found *found, const char *distro,
                         const char *key, const char *escaped)
{
    const char *place = found->insert != NULL ? found->insert : text + strlen(text);
    g_string_append_len(out, text, place - text);
    end_line(out, found->line_break);
    if (found->insert == NULL)
        g_string_append_printf(out, "%s[%s%s]%s", out->len > 0 ? found->line_break : "",
                               distro != NULL ? BERTH_SETTINGS_DISTRO : "berth",
                               distro != NULL ? distro : "", found->line_break);
    g_string_append_printf(out, "%s = %s%s", key, escaped, found->line_break);
    g_string_append(out, place);
}

char *berth_settings_edit(const char *text, const char *distro, const char *key, const char *value)
{
    const char *body = berth_settings_begin(text);
    g_autofree char *escaped = value != NULL ? escape(value) : NULL;
    Found found = find(body, distro, key);
    g_autoptr(GString) out = g_string_new(NULL);
    if (found.last_key != NULL)
        append_edited(out, body, distro, key, found.last_key, escaped);
    else if (escaped != NULL)
        append_added(out, body, &found, distro, key, escaped);
    else
        g_string_append(out, body);
    g_string_prepend_len(out, text, body - text);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

char *berth_settings_lookup(const char *text, const char *distro, const char *key)
{
    g_autoptr(GKeyFile) file = berth_settings_parse(berth_settings_begin(text), "", NULL);
    g_auto(GStrv) groups = file != NULL ? g_key_file_get_groups(file, NULL) : NULL;
    char *value = NULL;
    for (gsize i = 0; groups != NULL && groups[i] != NULL; i++) {
        if (!berth_settings_line_is_group(groups[i], distro) ||
            !g_key_file_has_key(file, groups[i], key, NULL))
            continue;
        g_free(value);
        value = g_key_file_get_string(file, groups[i], key, NULL);
    }
    return value;
}

bool berth_settings_has(const char *text, const char *distro, const char *key)
{
    return find(berth_settings_begin(text), distro, key).last_key != NULL;
}
