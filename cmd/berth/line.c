/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* Within double quotes a shell interprets \$, \`, \", \\ and a backslash before a newline. The
 * first two are left for the user to suppress expansion; the others are escaped. */
static void append_quoted(GString *line, const char *word)
{
    g_string_append_c(line, '"');
    for (const char *c = word; *c != '\0'; c++) {
        bool escapes = *c == '\\' && (c[1] == '$' || c[1] == '`');
        if (*c == '"' || (*c == '\\' && !escapes))
            g_string_append_c(line, '\\');
        g_string_append_c(line, *c);
    }
    g_string_append_c(line, '"');
}

char *line_from_words(char *const *words)
{
    if (words[1] == NULL)
        return g_strdup(words[0]);
    g_autoptr(GString) line = g_string_new(NULL);
    for (gsize i = 0; words[i] != NULL; i++) {
        bool whole = words[i][0] != '\0' && strpbrk(words[i], " \t\n") == NULL;
        if (i > 0)
            g_string_append_c(line, ' ');
        if (whole)
            g_string_append(line, words[i]);
        else
            append_quoted(line, words[i]);
    }
    return g_string_free(g_steal_pointer(&line), FALSE);
}
