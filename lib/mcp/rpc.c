/* SPDX-License-Identifier: MIT */
#include "rpc.h"

#include "json/json_reader.h"

#include <string.h>

/* --- messages --- */

static bool is_string(JsonNode *node)
{
    return berth_json_text(node) != NULL;
}

static bool is_id(JsonNode *node)
{
    return is_string(node) || (node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
                               json_node_get_value_type(node) == G_TYPE_INT64);
}

static BerthRpcMessage invalid(JsonNode *id, const char *problem)
{
    return (BerthRpcMessage){.kind = BERTH_RPC_INVALID,
                             .id = is_id(id) ? id : NULL,
                             .code = BERTH_RPC_INVALID_REQUEST,
                             .problem = problem};
}

BerthRpcMessage berth_rpc_read(JsonNode *node)
{
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return invalid(NULL, "a message is an object");
    JsonObject *object = json_node_get_object(node);
    JsonNode *id = json_object_get_member(object, "id");
    JsonNode *version = json_object_get_member(object, "jsonrpc");
    JsonNode *method = json_object_get_member(object, "method");
    JsonNode *params = json_object_get_member(object, "params");
    if (!is_string(version) || strcmp(json_node_get_string(version), "2.0") != 0)
        return invalid(id, "\"jsonrpc\" is not \"2.0\"");
    bool answer =
        json_object_has_member(object, "result") || json_object_has_member(object, "error");
    if (method == NULL && answer)
        return (BerthRpcMessage){.kind = BERTH_RPC_RESPONSE};
    if (!is_string(method))
        return invalid(id, "\"method\" is not a string");
    if (id != NULL && !is_id(id))
        return invalid(NULL, "\"id\" is neither a string nor an integer");
    BerthRpcMessage message = {.kind = id != NULL ? BERTH_RPC_REQUEST : BERTH_RPC_NOTIFICATION,
                               .id = id,
                               .method = json_node_get_string(method)};
    if (params != NULL && JSON_NODE_HOLDS_OBJECT(params))
        message.params = json_node_get_object(params);
    if (params == NULL || message.params != NULL)
        return message;
    message = invalid(id, "\"params\" is not an object");
    message.code = BERTH_RPC_INVALID_PARAMS;
    return message;
}

/* --- answers --- */

static JsonNode *answer(JsonNode *id, const char *member, JsonNode *value)
{
    JsonObject *object = json_object_new();
    JsonNode *node = json_node_init_object(json_node_alloc(), object);
    json_object_set_string_member(object, "jsonrpc", "2.0");
    json_object_set_member(object, "id",
                           id != NULL ? json_node_copy(id) : json_node_new(JSON_NODE_NULL));
    json_object_set_member(object, member, value);
    json_object_unref(object);
    return node;
}

JsonNode *berth_rpc_result(JsonNode *id, JsonNode *result)
{
    return answer(id, "result", result);
}

JsonNode *berth_rpc_error(JsonNode *id, BerthRpcCode code, const char *message)
{
    JsonObject *error = json_object_new();
    json_object_set_int_member(error, "code", code);
    json_object_set_string_member(error, "message", message);
    JsonNode *node = json_node_init_object(json_node_alloc(), error);
    json_object_unref(error);
    return answer(id, "error", node);
}

/* json-glib 1.6 escapes all control codes but this one. */
#define NOT_ESCAPED "\x1f"

char *berth_rpc_format(JsonNode *node, bool pretty)
{
    g_autofree char *text = json_to_string(node, pretty);
    g_auto(GStrv) parts = g_strsplit(text, NOT_ESCAPED, -1);
    return g_strjoinv("\\u001f", parts);
}
