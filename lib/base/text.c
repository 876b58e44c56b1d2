/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdbool.h>
#include <string.h>

#define ESCAPED_MAX 200 /* bytes in a message */

/* Cut @text at @max bytes or before, where a character begins. */
static void cut(char *text, gsize max)
{
    if (strlen(text) <= max)
        return;
    while (max > 0 && ((guchar)text[max] & 0xc0) == 0x80)
        max--;
    text[max] = '\0';
}

static gsize size_at_most(const char *text, gsize max)
{
    const char *end = memchr(text, '\0', max);
    return end != NULL ? (gsize)(end - text) : max;
}

char *berth_text_clean(const char *text, gsize max)
{
    g_autofree char *begin = g_strndup(text, size_at_most(text, max + 1));
    cut(begin, max);
    char *valid = g_utf8_make_valid(begin, -1);
    cut(valid, max); /* U+FFFD is longer than the byte it replaces */
    for (char *at = valid; *at != '\0'; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            for (char *byte = at, *next = g_utf8_next_char(at); byte < next; byte++)
                *byte = ' ';
    return valid;
}

/* Fast path: an import escapes the path of each entry. */
static bool is_plain_text(const char *path, gsize max)
{
    gsize length = 0;
    while (path[length] >= ' ' && path[length] < '\177')
        length++;
    return path[length] == '\0' && length > 0 && length < max;
}

static char *escape(const char *path, gsize max)
{
    if (is_plain_text(path, max))
        return g_strdup(path);
    GString *text = g_string_new(NULL);
    for (const char *next = path; *next != '\0';) {
        if (text->len >= max) {
            g_string_append(text, "...");
            break;
        }
        gunichar c = g_utf8_get_char_validated(next, -1);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append_printf(text, "\\%03o", (guint)(guchar)*next++);
            continue;
        }
        if (g_unichar_iscntrl(c) || !g_unichar_isdefined(c))
            for (gint i = 0; i < g_utf8_next_char(next) - next; i++)
                g_string_append_printf(text, "\\%03o", (guint)(guchar)next[i]);
        else
            g_string_append_unichar(text, c);
        next = g_utf8_next_char(next);
    }
    if (text->len == 0)
        g_string_append_c(text, '/');
    return g_string_free(text, false);
}

char *berth_text_escape(const char *path)
{
    return escape(path, ESCAPED_MAX);
}

char *berth_text_escape_whole(const char *path)
{
    return escape(path, G_MAXSIZE);
}
