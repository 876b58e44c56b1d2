/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <string.h>

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
    cut(valid, max); /* U+FFFD is longer than what it stands for */
    for (char *at = valid; *at != '\0'; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            for (char *byte = at, *next = g_utf8_next_char(at); byte < next; byte++)
                *byte = ' ';
    return valid;
}
