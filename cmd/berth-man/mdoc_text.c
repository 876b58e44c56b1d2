/* SPDX-License-Identifier: MIT */
#include "mdoc_text.h"

#include <string.h>

#define DATE                                                                                       \
    "November 30, 2026" /* of the last change of the form; fixed, so that builds are equal */

void mdoc_add_escaped(GString *page, const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (text[i] == '\\')
            g_string_append(page, "\\e");
        else if (text[i] == '-')
            g_string_append(page, "\\-"); /* a hyphen that can be copied into a shell */
        else
            g_string_append_c(page, text[i]);
}

void mdoc_add_line(GString *page, const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        g_string_append(page, "\\&");
    mdoc_add_escaped(page, text, strlen(text));
    g_string_append_c(page, '\n');
}

void mdoc_add_text(GString *page, const char *text)
{
    const gsize most = 72;
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
    g_autoptr(GString) line = g_string_new(NULL);
    for (gsize i = 0; words[i] != NULL; i++) {
        if (words[i][0] == '\0')
            continue;
        if (line->len > 0 && line->len + strlen(words[i]) > most) {
            mdoc_add_line(page, line->str);
            g_string_truncate(line, 0);
        }
        g_string_append_printf(line, "%s%s", line->len > 0 ? " " : "", words[i]);
        if (strchr(".:?!", words[i][strlen(words[i]) - 1]) != NULL) {
            mdoc_add_line(page, line->str);
            g_string_truncate(line, 0);
        }
    }
    if (line->len > 0)
        mdoc_add_line(page, line->str);
}

void mdoc_add_sentence(GString *page, const char *text)
{
    g_autofree char *line = g_strconcat(text, ".", NULL);
    mdoc_add_text(page, line);
}

void mdoc_add_head(GString *page, const char *name, guint section, const char *summary)
{
    g_autofree char *title = g_ascii_strup(name, -1);
    g_string_append_printf(page, ".Dd " DATE "\n.Dt %s %u\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", title,
                           section, name);
    mdoc_add_line(page, summary);
}
