/* SPDX-License-Identifier: MIT
 *
 * print — results on standard output: aligned tables, and amounts for people.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Table Table;

/* A table whose first row is @headings (NULL-terminated, borrowed). */
Table *table_new(const char *const *headings);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Add the next cell, row by row; @text is copied, its control codes are made visible. */
void table_add(Table *table, const char *text);
void table_add_take(Table *table, char *text);

/* Every column as wide as its widest cell, two spaces between; nothing trails a line. */
void table_print(const Table *table);

/* The lines of a notice of the library's (or NULL) on standard error, each as ours. */
void print_notice(const char *notice);

/* "3d 4h", "2h 05m", "41s"; free with g_free. */
char *print_duration(gint64 usec);
