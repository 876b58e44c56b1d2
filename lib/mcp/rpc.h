/* SPDX-License-Identifier: MIT
 *
 * rpc — JSON-RPC 2.0: values that were read (json/json_reader.h) as messages, and answers as lines.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_RPC_LINE_MAX  ((gsize)8 << 20) /* bytes of one message */
#define BERTH_RPC_DEPTH_MAX 64               /* of nested objects and arrays */

typedef enum {
    BERTH_RPC_PARSE_ERROR = -32700,
    BERTH_RPC_INVALID_REQUEST = -32600,
    BERTH_RPC_METHOD_NOT_FOUND = -32601,
    BERTH_RPC_INVALID_PARAMS = -32602,
    BERTH_RPC_INTERNAL_ERROR = -32603,
} BerthRpcCode;

typedef enum {
    BERTH_RPC_REQUEST,
    BERTH_RPC_NOTIFICATION, /* wants no answer */
    BERTH_RPC_RESPONSE,     /* to a request that was never made: ignored */
    BERTH_RPC_INVALID,
} BerthRpcKind;

/* Borrowed from the node it was read from. */
typedef struct {
    BerthRpcKind kind;
    JsonNode *id;       /* a string or an integer; NULL: none, or none that can be used */
    const char *method; /* of a request or notification */
    JsonObject *params; /* NULL: none */
    BerthRpcCode code;  /* of an invalid message */
    const char *problem;
} BerthRpcMessage;

/* The message in @node, which is an element of a batch or a whole line. */
BerthRpcMessage berth_rpc_read(JsonNode *node);

/* An answer to the request @id (NULL: null). Takes @result. Free with json_node_unref. */
JsonNode *berth_rpc_result(JsonNode *id, JsonNode *result);
JsonNode *berth_rpc_error(JsonNode *id, BerthRpcCode code, const char *message);

/* As text, without a line break unless @pretty; free with g_free. */
char *berth_rpc_format(JsonNode *node, bool pretty);

G_END_DECLS
