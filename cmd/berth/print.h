/* SPDX-License-Identifier: MIT
 *
 * print — formats results for people on standard output: aligned tables, durations.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Table Table;

/* Make a table with the heading row @headings (NULL-terminated, borrowed). */
Table *table_new(const char *const *headings);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Add the next cell, row by row; @text is copied with its control codes replaced. */
void table_add(Table *table, const char *text);
void table_add_take(Table *table, char *text);

/* Print with each column as wide as its widest cell, two spaces apart, without trailing blanks. */
void table_print(const Table *table);

/* As table_print, but on a terminal no wider than it is, at least 80 columns: cells are cut, those
 * of the last column first, then of the first and the second, with "..." and at a comma if they
 * have one. In a pipe nothing is cut. */
void table_print_fitting(const Table *table);

/* Print each line of a notice of the library (may be NULL) to standard error, prefixed "berth:
 * ". */
void print_notice(const char *notice);

/* The same of a distro that there was nothing to do for; an event of BerthSuspend and BerthStop. */
void print_not_running(const char *name, gpointer user_data);
void print_was_parked(const char *name, gpointer user_data);

/* Format as "3d 4h", "2h 05m" or "41s"; free with g_free. */
char *print_duration(gint64 usec);
