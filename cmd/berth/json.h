/* SPDX-License-Identifier: MIT
 *
 * json — results for programs: one object, whose "schema" is raised when a member changes its
 * meaning or goes away. New members may appear at any time.
 *
 * Only writes (RFC 8259). json-glib does so too, but loads GIO and what that needs: 1.2 ms of each
 * command, half of what a `berth run` costs before it has done anything. Texts that are not UTF-8
 * get U+FFFD in the place of what is not.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define JSON_SCHEMA    1
#define JSON_DEPTH_MAX 8 /* of objects and arrays in one another */

typedef struct Json Json;

/* Begin the object: to be read by people too, or all of it in one line. Add members, then call
 * json_print. */
Json *json_begin(bool in_one_line);

/* End the object and print it, at once. Takes @json. */
void json_print(Json *json);

/* In all of these @name is NULL for the elements of an array, and only for them. */
void json_begin_object(Json *json, const char *name);
void json_begin_array(Json *json, const char *name);
void json_end(Json *json); /* what was begun last */

void json_add_string(Json *json, const char *name, const char *text); /* NULL: null */
void json_add_number(Json *json, const char *name, guint64 value);
void json_add_bool(Json *json, const char *name, bool value);

/* Real time as ISO 8601 in UTC; 0 is null. */
void json_add_time(Json *json, const char *name, gint64 usec);
