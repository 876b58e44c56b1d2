/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MIN 80
#define GAP         2
#define CUT_MARK    "..."

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

static int *find_widths(const Table *table)
{
    int *widths = g_new0(int, table->columns);
    for (guint i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    return widths;
}

static void print_rows(const Table *table, const int *widths)
{
    for (guint i = 0; i + table->columns <= table->cells->len; i += table->columns)
        print_row(table, i, widths);
}

void table_print(const Table *table)
{
    g_autofree int *widths = find_widths(table);
    print_rows(table, widths);
}

/* Narrow columns until the rows fit into @columns, or all are as narrow as they get. */
static void narrow(const Table *table, int *widths, int columns)
{
    const struct {
        guint column;
        int least;
    } steps[] = {{table->columns - 1, 8}, {0, 14}, {1, 10}};
    int excess = -GAP - columns;
    for (guint i = 0; i < table->columns; i++)
        excess += widths[i] + GAP;
    for (gsize i = 0; i < G_N_ELEMENTS(steps) && excess > 0; i++) {
        int *width = &widths[steps[i].column];
        int less = CLAMP(*width - steps[i].least, 0, excess);
        *width -= less;
        excess -= less;
    }
}

/* Cut @text to @width characters, or return it; free with g_free. */
static char *cut_text(const char *text, int width)
{
    if (cell_width(text) <= width)
        return g_strdup(text);
    bool valid = g_utf8_validate(text, -1, NULL);
    int kept = width - (int)strlen(CUT_MARK);
    g_autofree char *begin = valid ? g_utf8_substring(text, 0, kept) : g_strndup(text, (gsize)kept);
    char *comma = strrchr(begin, ',');
    if (comma != NULL)
        comma[1] = '\0';
    return g_strconcat(begin, CUT_MARK, NULL);
}

/* The width of standard output; G_MAXINT if it is no terminal. */
static int output_columns(void)
{
    struct winsize size = {0};
    if (!isatty(STDOUT_FILENO))
        return G_MAXINT;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? MAX(size.ws_col, COLUMNS_MIN)
                                                        : COLUMNS_MIN;
}

void table_print_fitting(const Table *table)
{
    int columns = output_columns();
    g_autofree int *widths = find_widths(table);
    if (columns == G_MAXINT) {
        print_rows(table, widths);
        return;
    }
    narrow(table, widths, columns);
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < table->cells->len; i++)
        g_ptr_array_add(cells, cut_text(table->cells->pdata[i], widths[i % table->columns]));
    const Table cut = {.cells = cells, .columns = table->columns};
    print_rows(&cut, widths);
}

void print_notice(const char *notice)
{
    g_auto(GStrv) lines = g_strsplit(notice != NULL ? notice : "", "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++)
        if (lines[i][0] != '\0')
            fprintf(stderr, "berth: %s\n", lines[i]);
}

void print_not_running(const char *name, gpointer user_data)
{
    g_autofree char *line = g_strdup_printf("%s was not running", name);
    print_notice(line);
}

void print_was_parked(const char *name, gpointer user_data)
{
    g_autofree char *line =
        g_strdup_printf("%s was parked: data that its programs had not saved is lost", name);
    print_notice(line);
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
