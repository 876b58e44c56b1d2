/* SPDX-License-Identifier: MIT
 *
 * json — results for programs: one object, whose "schema" is raised when a member changes its
 * meaning or goes away. New members may appear at any time.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#define JSON_SCHEMA 1

/* Begin the object; add members to the builder, then call json_print. */
JsonBuilder *json_begin(void);

/* End the object and print it. Takes @builder. */
void json_print(JsonBuilder *builder);

/* The same in one line, at once: for one of several. */
void json_print_line(JsonBuilder *builder);

void json_add_string(JsonBuilder *builder, const char *name, const char *text); /* NULL: null */
void json_add_number(JsonBuilder *builder, const char *name, guint64 value);
void json_add_bool(JsonBuilder *builder, const char *name, gboolean value);

/* Real time as ISO 8601 in UTC; 0 is null. */
void json_add_time(JsonBuilder *builder, const char *name, gint64 usec);
