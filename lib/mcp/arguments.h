/* SPDX-License-Identifier: MIT
 *
 * arguments — the parameters of a tool as a table, their JSON schema, and a call's arguments
 * checked against it.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_PARAMETER_STRING,
    BERTH_PARAMETER_CHOICE,  /* a string of `choices` */
    BERTH_PARAMETER_INTEGER, /* from `min` to `max` */
    BERTH_PARAMETER_FLAG,    /* true or false; false without the argument */
    BERTH_PARAMETER_STRINGS, /* an array */
    BERTH_PARAMETER_PAIRS,   /* an object of strings */
} BerthParameterKind;

typedef struct {
    const char *name; /* NULL: the end of the table */
    BerthParameterKind kind;
    bool required;
    const char *help;
    gint64 min, max, fallback;
    const char *const *choices;
} BerthParameter;

/* The JSON schema of an object with @parameters (NULL: none). Free with json_node_unref. */
JsonNode *berth_arguments_schema(const BerthParameter *parameters);

/* Whether @arguments (NULL: an empty object) suit @parameters. Errors: "usage.value",
 * "usage.arguments". */
bool berth_arguments_check(JsonObject *arguments, const BerthParameter *parameters, GError **error);

/* Of checked arguments: NULL, or the parameter's fallback, without the argument. Borrowed. */
const char *berth_arguments_string(JsonObject *arguments, const char *name);
gint64 berth_arguments_integer(JsonObject *arguments, const BerthParameter *parameters,
                               const char *name);
bool berth_arguments_flag(JsonObject *arguments, const char *name);
JsonArray *berth_arguments_strings(JsonObject *arguments, const char *name);
JsonObject *berth_arguments_pairs(JsonObject *arguments, const char *name);

G_END_DECLS
