/* SPDX-License-Identifier: MIT */
#include "settings_line.h"

#include <string.h>

void berth_settings_line_clear(BerthSettingsLine *line)
{
    g_free(line->group);
    g_free(line->key);
    g_free(line->value);
}

/* Read the entry in @text; false for comments and empty lines. */
static bool read_line(BerthSettingsLine *line, char *text)
{
    g_strstrip(text);
    g_clear_pointer(&line->key, g_free);
    g_clear_pointer(&line->value, g_free);
    char *end = text[0] == '[' ? strrchr(text, ']') : strchr(text, '=');
    if (text[0] == '#' || end == NULL)
        return false;

    *end = '\0';
    if (text[0] == '[') {
        g_free(line->group);
        line->group = g_strdup(text + 1);
        return true;
    }
    line->key = g_strdup(g_strchomp(text));
    line->value = g_strdup(g_strchug(end + 1));
    return true;
}

bool berth_settings_line_next(BerthSettingsLine *line)
{
    while (*line->next != '\0') {
        line->begin = line->next;
        size_t length = strcspn(line->next, "\n");
        g_autofree char *text = g_strndup(line->next, length);
        line->next += length + (line->next[length] == '\n');
        line->number++;
        if (read_line(line, text))
            return true;
    }
    return false;
}

bool berth_settings_line_is_group(const char *group, const char *distro)
{
    if (distro == NULL)
        return g_ascii_strcasecmp(group, "berth") == 0;
    return g_ascii_strncasecmp(group, BERTH_SETTINGS_DISTRO, strlen(BERTH_SETTINGS_DISTRO)) == 0 &&
           g_ascii_strcasecmp(group + strlen(BERTH_SETTINGS_DISTRO), distro) == 0;
}

guint berth_settings_line_of(const char *text, const char *group, const char *key)
{
    g_auto(BerthSettingsLine) line = {.next = text};
    guint last = 0;
    while (berth_settings_line_next(&line))
        if (line.key != NULL && g_strcmp0(line.group, group) == 0 && strcmp(line.key, key) == 0)
            last = line.number;
    return last;
}
