/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include "base/error.h"

#include <string.h>

static const char *const types[] = {"string", "string", "integer", "boolean", "array", "object"};

/* --- the schema --- */

static JsonNode *node_of(JsonObject *object)
{
    JsonNode *node = json_node_init_object(json_node_alloc(), object);
    json_object_unref(object);
    return node;
}

static JsonNode *string_type(void)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "type", "string");
    return node_of(object);
}

static JsonArray *list(const char *const *words)
{
    JsonArray *array = json_array_new();
    for (; *words != NULL; words++)
        json_array_add_string_element(array, *words);
    return array;
}

static JsonNode *describe(const BerthParameter *parameter)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "type", types[parameter->kind]);
    json_object_set_string_member(object, "description", parameter->help);
    switch (parameter->kind) {
    case BERTH_PARAMETER_CHOICE:
        json_object_set_array_member(object, "enum", list(parameter->choices));
        break;
    case BERTH_PARAMETER_INTEGER:
        json_object_set_int_member(object, "minimum", parameter->min);
        json_object_set_int_member(object, "maximum", parameter->max);
        json_object_set_int_member(object, "default", parameter->fallback);
        break;
    case BERTH_PARAMETER_FLAG:
        json_object_set_boolean_member(object, "default", FALSE);
        break;
    case BERTH_PARAMETER_STRINGS:
        json_object_set_member(object, "items", string_type());
        break;
    case BERTH_PARAMETER_PAIRS:
        json_object_set_member(object, "additionalProperties", string_type());
        break;
    case BERTH_PARAMETER_STRING:
        break;
    }
    return node_of(object);
}

JsonNode *berth_arguments_schema(const BerthParameter *parameters)
{
    JsonObject *schema = json_object_new();
    JsonObject *properties = json_object_new();
    JsonArray *required = json_array_new();
    for (const BerthParameter *p = parameters; p != NULL && p->name != NULL; p++) {
        json_object_set_member(properties, p->name, describe(p));
        if (p->required)
            json_array_add_string_element(required, p->name);
    }
    json_object_set_string_member(schema, "type", "object");
    json_object_set_object_member(schema, "properties", properties);
    json_object_set_array_member(schema, "required", required);
    json_object_set_boolean_member(schema, "additionalProperties", FALSE);
    return node_of(schema);
}

/* --- the check --- */

static bool is_string(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

static bool is_flag(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN;
}

static bool are_strings(JsonNode *node)
{
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return false;
    JsonArray *array = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(array); i++)
        if (!is_string(json_array_get_element(array, i)))
            return false;
    return true;
}

static bool are_pairs(JsonNode *node)
{
    JsonObjectIter iter;
    JsonNode *value;
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return false;
    json_object_iter_init(&iter, json_node_get_object(node));
    while (json_object_iter_next(&iter, NULL, &value))
        if (!is_string(value))
            return false;
    return true;
}

static bool is_in_range(const BerthParameter *parameter, JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64 &&
           json_node_get_int(node) >= parameter->min && json_node_get_int(node) <= parameter->max;
}

/* The type or range that @node does not have, for the error; free with g_free. NULL: it fits. */
static char *find_fault(const BerthParameter *parameter, JsonNode *node)
{
    switch (parameter->kind) {
    case BERTH_PARAMETER_STRING:
        return is_string(node) ? NULL : g_strdup("a string");
    case BERTH_PARAMETER_CHOICE: {
        bool one =
            is_string(node) && g_strv_contains(parameter->choices, json_node_get_string(node));
        g_autofree char *words = g_strjoinv(", ", (char **)parameter->choices);
        return one ? NULL : g_strdup_printf("one of %s", words);
    }
    case BERTH_PARAMETER_INTEGER:
        return is_in_range(parameter, node)
                   ? NULL
                   : g_strdup_printf("an integer from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                                     parameter->min, parameter->max);
    case BERTH_PARAMETER_FLAG:
        return is_flag(node) ? NULL : g_strdup("true or false");
    case BERTH_PARAMETER_STRINGS:
        return are_strings(node) ? NULL : g_strdup("an array of strings");
    case BERTH_PARAMETER_PAIRS:
        return are_pairs(node) ? NULL : g_strdup("an object of strings");
    }
    return NULL;
}

static const BerthParameter *find(const BerthParameter *parameters, const char *name)
{
    for (const BerthParameter *p = parameters; p != NULL && p->name != NULL; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool check_one(const BerthParameter *parameters, const char *name, JsonNode *node,
                      GError **error)
{
    const BerthParameter *parameter = find(parameters, name);
    g_autofree char *shown = g_strescape(name, NULL);
    if (parameter == NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "tools/list has the arguments of each tool",
                        "there is no argument \"%.80s\"", shown);
        return false;
    }
    g_autofree char *wanted = find_fault(parameter, node);
    if (wanted != NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL, "\"%s\" is not %s", name,
                        wanted);
    return wanted == NULL;
}

bool berth_arguments_check(JsonObject *arguments, const BerthParameter *parameters, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    for (const BerthParameter *p = parameters; p != NULL && p->name != NULL; p++) {
        if (!p->required || (arguments != NULL && json_object_has_member(arguments, p->name)))
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments", NULL,
                        "the argument \"%s\" is missing", p->name);
        return false;
    }
    if (arguments == NULL)
        return true;
    json_object_iter_init(&iter, arguments);
    while (json_object_iter_next(&iter, &name, &node))
        if (!check_one(parameters, name, node, error))
            return false;
    return true;
}

/* --- access --- */

static JsonNode *member(JsonObject *arguments, const char *name)
{
    return arguments != NULL ? json_object_get_member(arguments, name) : NULL;
}

const char *berth_arguments_string(JsonObject *arguments, const char *name)
{
    JsonNode *node = member(arguments, name);
    return node != NULL ? json_node_get_string(node) : NULL;
}

gint64 berth_arguments_integer(JsonObject *arguments, const BerthParameter *parameters,
                               const char *name)
{
    JsonNode *node = member(arguments, name);
    const BerthParameter *parameter = find(parameters, name);
    g_assert(parameter != NULL);
    return node != NULL ? json_node_get_int(node) : parameter->fallback;
}

bool berth_arguments_flag(JsonObject *arguments, const char *name)
{
    JsonNode *node = member(arguments, name);
    return node != NULL && json_node_get_boolean(node);
}

JsonArray *berth_arguments_strings(JsonObject *arguments, const char *name)
{
    JsonNode *node = member(arguments, name);
    return node != NULL ? json_node_get_array(node) : NULL;
}

JsonObject *berth_arguments_pairs(JsonObject *arguments, const char *name)
{
    JsonNode *node = member(arguments, name);
    return node != NULL ? json_node_get_object(node) : NULL;
}
