/* SPDX-License-Identifier: MIT */
#include "json_reader.h"

JsonNode *berth_json_read(const char *text, gsize size, guint depth_max, bool *ret_nul,
                          char **ret_problem)
{
    if (!berth_json_check(text, size, depth_max, ret_nul, ret_problem))
        return NULL;
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root = json_parser_load_from_data(parser, text, (gssize)size, NULL)
                         ? json_parser_get_root(parser)
                         : NULL;
    if (root == NULL)
        *ret_problem = g_strdup("it is not JSON");
    return root != NULL ? json_node_ref(root) : NULL;
}

const char *berth_json_text(JsonNode *node)
{
    bool is_text = node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
                   json_node_get_value_type(node) == G_TYPE_STRING;
    return is_text ? json_node_get_string(node) : NULL;
}

static JsonNode *member_of(JsonObject *object, const char *name)
{
    return object != NULL ? json_object_get_member(object, name) : NULL;
}

const char *berth_json_string(JsonObject *object, const char *name)
{
    return berth_json_text(member_of(object, name));
}

JsonObject *berth_json_object(JsonObject *object, const char *name)
{
    JsonNode *node = member_of(object, name);
    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *berth_json_array(JsonObject *object, const char *name)
{
    JsonNode *node = member_of(object, name);
    return node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *berth_json_element(JsonArray *array, guint i)
{
    JsonNode *node = json_array_get_element(array, i);
    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}
