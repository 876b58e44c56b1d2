/* SPDX-License-Identifier: MIT */
#include "rpc.h"

#include <string.h>

#define DIGITS_MAX 18 /* of an integer: any such number fits into 64 bits */

/* --- bytes --- */

typedef struct {
    guint depth;
    guint digits; /* of the number at this place */
    bool in_string;
    bool in_word; /* a number's fraction or exponent, or a word such as true */
    bool nul;
    bool begun;    /* with what is no blank */
    bool complete; /* the outermost bracket is closed */
    const char *problem;
} Scan;

/* The escape at @text; returns the bytes to skip beside the backslash. */
static gsize scan_escape(Scan *scan, const char *text, gsize left)
{
    if (left >= 6 && memcmp(text, "\\u0000", 6) == 0)
        scan->nul = true;
    return 1;
}

static void scan_bracket(Scan *scan, char c)
{
    if ((c == '{' || c == '[') && scan->depth == 0 && scan->begun)
        scan->problem = "it is more than one value";
    else if (c == '{' || c == '[')
        scan->depth++;
    else if (scan->depth-- == 0)
        scan->problem = "a bracket closes nothing";
    else
        scan->complete = scan->depth == 0;
    if (scan->problem == NULL && scan->depth > BERTH_RPC_DEPTH_MAX)
        scan->problem = "the nesting is too deep";
}

static void scan_number(Scan *scan, char c)
{
    bool digit = g_ascii_isdigit(c) && !scan->in_word;
    scan->digits = digit ? scan->digits + 1 : 0;
    scan->in_word = !digit && (g_ascii_isalnum(c) || c == '.' || c == '+' || scan->in_word);
    if (scan->digits > DIGITS_MAX)
        scan->problem = "a number is too large";
}

static void scan_outside(Scan *scan, char c)
{
    if (scan->complete && strchr(" \t\r\n", c) == NULL)
        scan->problem = "it is more than one value";
    else if (strchr("{}[]", c) != NULL)
        scan_bracket(scan, c);
    else if (c == '"')
        scan->in_string = true;
    else if (!g_ascii_isalnum(c) && strchr(" \t\r\n:,+-.", c) == NULL)
        scan->problem = "it is not JSON";
    scan->begun = scan->begun || strchr(" \t\r\n", c) == NULL;
    if (g_ascii_isalnum(c) || c == '.' || c == '+')
        scan_number(scan, c);
    else
        scan->digits = scan->in_word = 0;
}

/* The fault of a line that json-glib would accept or would end the process for; NULL: none. */
static const char *scan_line(const char *line, gsize size, bool *ret_nul)
{
    Scan scan = {.problem = NULL};
    if (!g_utf8_validate_len(line, size, NULL))
        return "it is not UTF-8";
    for (gsize i = 0; i < size && scan.problem == NULL; i++) {
        if (!scan.in_string)
            scan_outside(&scan, line[i]);
        else if (line[i] == '\\')
            i += scan_escape(&scan, line + i, size - i);
        else if (line[i] == '"')
            scan.in_string = false;
        else if ((guchar)line[i] < ' ')
            scan.problem = "a string has a control code";
    }
    *ret_nul = scan.nul;
    if (scan.problem == NULL && (scan.in_string || scan.depth > 0))
        return "it ends too early";
    return scan.problem;
}

JsonNode *berth_rpc_parse(const char *line, gsize size, bool *ret_nul, const char **ret_problem)
{
    *ret_nul = false;
    *ret_problem = scan_line(line, size, ret_nul);
    if (*ret_problem != NULL)
        return NULL;
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root = json_parser_load_from_data(parser, line, (gssize)size, NULL)
                         ? json_parser_get_root(parser)
                         : NULL;
    if (root == NULL)
        *ret_problem = "it is not JSON";
    return root != NULL ? json_node_ref(root) : NULL;
}

/* --- messages --- */

static bool is_string(JsonNode *node)
{
    return node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
           json_node_get_value_type(node) == G_TYPE_STRING;
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
