/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdio.h>
#include <string.h>

struct Table {
    GPtrArray *cells; /* char *, row by row */
    guint columns;
};

Table *table_new(const char *const *headings)
{
    Table *table = g_new0(Table, 1);
    table->columns = g_strv_length((char **)headings);
    table->cells = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < table->columns; i++)
        table_add(table, headings[i]);
    return table;
}

void table_free(Table *table)
{
    if (table == NULL)
        return;
    g_ptr_array_unref(table->cells);
    g_free(table);
}

void table_add_take(Table *table, char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    g_ptr_array_add(table->cells, text);
}

void table_add(Table *table, const char *text)
{
    table_add_take(table, g_strdup(text));
}

static int cell_width(const char *text)
{
    return (int)(g_utf8_validate(text, -1, NULL) ? g_utf8_strlen(text, -1) : (glong)strlen(text));
}

static int column_width(const Table *table, guint column)
{
    int width = 0;
    for (guint i = column; i < table->cells->len; i += table->columns)
        width = MAX(width, cell_width(table->cells->pdata[i]));
    return width;
}

static void print_row(const Table *table, guint first, const int *widths)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint i = 0; i < table->columns; i++) {
        const char *text = table->cells->pdata[first + i];
        g_string_append_printf(line, "%s%*s", text, widths[i] - cell_width(text) + 2, "");
    }
    printf("%s\n", g_strchomp(line->str));
}

void table_print(const Table *table)
{
    g_autofree int *widths = g_new(int, table->columns);
    for (guint i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (guint i = 0; i + table->columns <= table->cells->len; i += table->columns)
        print_row(table, i, widths);
}

void print_notice(const char *notice)
{
    g_auto(GStrv) lines = g_strsplit(notice != NULL ? notice : "", "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++)
        if (lines[i][0] != '\0')
            fprintf(stderr, "berth: %s\n", lines[i]);
}

char *print_duration(gint64 usec)
{
    gint64 seconds = MAX(usec, 0) / G_USEC_PER_SEC;
    gint64 minutes = seconds / 60;
    gint64 hours = minutes / 60;
    if (hours >= 24)
        return g_strdup_printf("%dd %dh", (int)(hours / 24), (int)(hours % 24));
    if (hours > 0)
        return g_strdup_printf("%dh %02dm", (int)hours, (int)(minutes % 60));
    if (minutes > 0)
        return g_strdup_printf("%dm %02ds", (int)minutes, (int)(seconds % 60));
    return g_strdup_printf("%ds", (int)seconds);
}
