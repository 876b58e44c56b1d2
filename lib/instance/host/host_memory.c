/* SPDX-License-Identifier: MIT */
#include "host_memory.h"

#include <string.h>

#define FIELD "\nMemAvailable:"

guint64 berth_host_memory_available(const char *meminfo)
{
    g_autofree char *text = NULL;
    guint64 kib;
    if (!g_file_get_contents(meminfo, &text, NULL, NULL))
        return G_MAXUINT64;
    const char *field = strstr(text, FIELD);
    if (field == NULL)
        return G_MAXUINT64;
    g_autofree char *line = g_strndup(field + strlen(FIELD), strcspn(field + 1, "\n"));
    g_auto(GStrv) words = g_strsplit(g_strstrip(line), " ", 2);
    return words[0] != NULL &&
                   g_ascii_string_to_unsigned(words[0], 10, 0, G_MAXUINT64 >> 10, &kib, NULL)
               ? kib << 10
               : G_MAXUINT64;
}
