/* SPDX-License-Identifier: MIT
 *
 * json — machine-readable results: one object, whose "schema" increases when a member is removed or
 * changes its meaning. New members may appear at any time.
 *
 * Writes only (RFC 8259). json-glib would load GIO and its dependencies, which costs 1.2 ms per
 * command, half of the start-up time of `berth run`. Bytes that are not UTF-8 become U+FFFD.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define JSON_SCHEMA    1
#define JSON_DEPTH_MAX 8 /* of nested objects and arrays */

typedef struct Json Json;

/* Begin the object: indented, or on one line. Add members, then call json_print. */
Json *json_begin(bool in_one_line);

/* Close the object, print it and flush. Takes @json. */
void json_print(Json *json);

/* Drop the object instead of printing it. */
void json_free(Json *json);

/* Print what was added so far, so that a long list takes no memory. */
void json_print_part(Json *json);

/* @name is NULL in an array, and only there. */
void json_begin_object(Json *json, const char *name);
void json_begin_array(Json *json, const char *name);
void json_end(Json *json); /* closes the innermost object or array */

void json_add_string(Json *json, const char *name, const char *text); /* NULL: null */
void json_add_number(Json *json, const char *name, guint64 value);
/* null unless @known */
void json_add_known(Json *json, const char *name, bool known, guint64 value);
void json_add_bool(Json *json, const char *name, bool value);

/* Real time as ISO 8601 in UTC; 0 is null. */
void json_add_time(Json *json, const char *name, gint64 usec);
