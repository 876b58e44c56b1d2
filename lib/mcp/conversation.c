/* SPDX-License-Identifier: MIT */
#include "conversation.h"

#include "base/error.h"
#include "json/json_reader.h"
#include "result.h"
#include "rpc.h"

#include <string.h>

/* The first is offered to a client that asks for another. */
static const char *const revisions[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
#define REVISION_WITH_BATCHES "2025-03-26"

#define INSTRUCTIONS                                                                               \
    "Distros are Linux machines of the user's, each in a virtual machine of its own. \"list\" "    \
    "names them. \"run\" takes a program and its arguments as they are; for pipes and globs run "  \
    "\"sh\" with \"-c\". A distro that does not run is started by the first call that needs it."

/* Answers that leave together: those of a batch. */
typedef struct {
    JsonArray *answers;
    guint open; /* requests without an answer, and 1 while the batch is read */
} Batch;

typedef struct {
    guint number;
    JsonNode *id;
    BerthMcpCall *call;
    Batch *batch; /* NULL: a request of its own */
    bool cancelled;
} Request;

struct BerthConversation {
    const char *version;
    const BerthMcpAccess *access;
    const BerthConversationOps *ops;
    gpointer user_data;
    const char *revision; /* NULL: not initialised */
    GHashTable *requests; /* number -> Request */
    guint last_number;
};

static void request_free(Request *request)
{
    json_node_unref(request->id);
    berth_mcp_call_free(request->call);
    g_free(request);
}

BerthConversation *berth_conversation_new(const char *version, const BerthMcpAccess *access,
                                          const BerthConversationOps *ops, gpointer user_data)
{
    BerthConversation *conversation = g_new0(BerthConversation, 1);
    conversation->version = version;
    conversation->access = access;
    conversation->ops = ops;
    conversation->user_data = user_data;
    conversation->requests = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)request_free);
    return conversation;
}

/* --- answers --- */

static void send_node(BerthConversation *conversation, JsonNode *node)
{
    g_autofree char *line = berth_rpc_format(node, false);
    conversation->ops->send(line, conversation->user_data);
}

/* A batch without an answer, only of notifications, gets none. */
static void batch_release(BerthConversation *conversation, Batch *batch)
{
    if (batch == NULL || --batch->open > 0)
        return;
    if (json_array_get_length(batch->answers) > 0) {
        g_autoptr(JsonNode) node = json_node_init_array(json_node_alloc(), batch->answers);
        send_node(conversation, node);
    }
    json_array_unref(batch->answers);
    g_free(batch);
}

/* Takes @node. */
static void answer(BerthConversation *conversation, Batch *batch, JsonNode *node)
{
    if (batch != NULL) {
        json_array_add_element(batch->answers, node);
        return;
    }
    send_node(conversation, node);
    json_node_unref(node);
}

static void answer_error(BerthConversation *conversation, Batch *batch, JsonNode *id,
                         BerthRpcCode code, const char *text)
{
    answer(conversation, batch, berth_rpc_error(id, code, text));
}

void berth_conversation_free(BerthConversation *conversation)
{
    GHashTableIter iter;
    gpointer request;
    if (conversation == NULL)
        return;
    g_hash_table_iter_init(&iter, conversation->requests);
    while (g_hash_table_iter_next(&iter, NULL, &request)) {
        Batch *batch = ((Request *)request)->batch;
        if (batch == NULL || --batch->open > 0)
            continue;
        json_array_unref(batch->answers);
        g_free(batch);
    }
    g_hash_table_unref(conversation->requests);
    g_free(conversation);
}

/* --- methods --- */

static const char *string_of(JsonObject *object, const char *name)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, name) : NULL;
    bool is_string = node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
                     json_node_get_value_type(node) == G_TYPE_STRING;
    return is_string ? json_node_get_string(node) : NULL;
}

static JsonNode *empty_object(void)
{
    JsonObject *object = json_object_new();
    JsonNode *node = json_node_init_object(json_node_alloc(), object);
    json_object_unref(object);
    return node;
}

static JsonNode *describe_server(const BerthConversation *conversation)
{
    JsonObject *result = json_object_new();
    JsonObject *capabilities = json_object_new();
    JsonObject *server = json_object_new();
    json_object_set_object_member(capabilities, "tools", json_object_new());
    json_object_set_string_member(server, "name", "berth");
    json_object_set_string_member(server, "version", conversation->version);
    json_object_set_string_member(result, "protocolVersion", conversation->revision);
    json_object_set_object_member(result, "capabilities", capabilities);
    json_object_set_object_member(result, "serverInfo", server);
    json_object_set_string_member(result, "instructions", INSTRUCTIONS);
    JsonNode *node = json_node_init_object(json_node_alloc(), result);
    json_object_unref(result);
    return node;
}

static void initialize(BerthConversation *conversation, const BerthRpcMessage *message,
                       Batch *batch)
{
    const char *wanted = string_of(message->params, "protocolVersion");
    if (conversation->revision != NULL || batch != NULL || wanted == NULL) {
        bool params = conversation->revision == NULL && batch == NULL;
        answer_error(conversation, batch, message->id,
                     params ? BERTH_RPC_INVALID_PARAMS : BERTH_RPC_INVALID_REQUEST,
                     params ? "\"protocolVersion\" is not a string"
                            : "\"initialize\" is the first message, and the only one");
        return;
    }
    conversation->revision = revisions[0];
    for (gsize i = 0; i < G_N_ELEMENTS(revisions); i++)
        if (strcmp(revisions[i], wanted) == 0)
            conversation->revision = revisions[i];
    answer(conversation, batch, berth_rpc_result(message->id, describe_server(conversation)));
}

static void ping(BerthConversation *conversation, const BerthRpcMessage *message, Batch *batch)
{
    answer(conversation, batch, berth_rpc_result(message->id, empty_object()));
}

static void list_tools(BerthConversation *conversation, const BerthRpcMessage *message,
                       Batch *batch)
{
    answer(conversation, batch,
           berth_rpc_result(message->id, berth_mcp_tools_list(conversation->access)));
}

static void begin_call(BerthConversation *conversation, JsonNode *id, BerthMcpCall *call,
                       Batch *batch)
{
    Request *request = g_new0(Request, 1);
    request->number = ++conversation->last_number;
    request->id = json_node_copy(id);
    request->call = call;
    request->batch = batch;
    if (batch != NULL)
        batch->open++;
    g_hash_table_insert(conversation->requests, GUINT_TO_POINTER(request->number), request);
    conversation->ops->begin(request->number, call, conversation->user_data);
}

/* The tool's name in @params if it can be called; NULL with the answer given. */
static const char *find_tool(BerthConversation *conversation, const BerthRpcMessage *message,
                             Batch *batch)
{
    const char *name = string_of(message->params, "name");
    JsonNode *arguments =
        name != NULL ? json_object_get_member(message->params, "arguments") : NULL;
    g_autofree char *shown = g_strescape(name != NULL ? name : "", NULL);
    g_autofree char *problem = NULL;
    if (name == NULL)
        problem = g_strdup("\"name\" is not a string");
    else if (!berth_mcp_tools_has(conversation->access, name))
        problem = g_strdup_printf("unknown tool: %.80s", shown);
    else if (arguments != NULL && !JSON_NODE_HOLDS_OBJECT(arguments))
        problem = g_strdup("\"arguments\" is not an object");
    if (problem == NULL)
        return name;
    answer_error(conversation, batch, message->id, BERTH_RPC_INVALID_PARAMS, problem);
    return NULL;
}

static void call_tool(BerthConversation *conversation, const BerthRpcMessage *message, Batch *batch)
{
    g_autoptr(GError) error = NULL;
    BerthMcpCall *call = NULL;
    const char *name = find_tool(conversation, message, batch);
    if (name == NULL)
        return;
    JsonNode *arguments = json_object_get_member(message->params, "arguments");
    if (g_hash_table_size(conversation->requests) >= BERTH_MCP_CALLS_MAX)
        berth_error_set(&error, BERTH_ERROR_BUSY, "mcp.busy", "wait for the others, then try again",
                        "%u calls run already", BERTH_MCP_CALLS_MAX);
    else
        call = berth_mcp_tools_call(conversation->access, name,
                                    arguments != NULL ? json_node_get_object(arguments) : NULL,
                                    &error);
    if (call != NULL)
        begin_call(conversation, message->id, call, batch);
    else
        answer(conversation, batch, berth_rpc_result(message->id, berth_mcp_result_error(error)));
}

static void cancel(BerthConversation *conversation, JsonObject *params)
{
    JsonNode *id = params != NULL ? json_object_get_member(params, "requestId") : NULL;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, conversation->requests);
    while (id != NULL && g_hash_table_iter_next(&iter, NULL, &value)) {
        Request *request = value;
        if (request->cancelled || !json_node_equal(request->id, id))
            continue;
        request->cancelled = true;
        conversation->ops->cancel(request->number, conversation->user_data);
        return;
    }
}

/* --- messages --- */

static const struct {
    const char *name;
    bool first; /* allowed before initialize */
    void (*run)(BerthConversation *conversation, const BerthRpcMessage *message, Batch *batch);
} methods[] = {
    {"initialize", true, initialize},
    {"ping", true, ping},
    {"tools/list", false, list_tools},
    {"tools/call", false, call_tool},
};

static bool is_used(const BerthConversation *conversation, JsonNode *id)
{
    GHashTableIter iter;
    gpointer request;
    g_hash_table_iter_init(&iter, conversation->requests);
    while (g_hash_table_iter_next(&iter, NULL, &request))
        if (json_node_equal(((const Request *)request)->id, id))
            return true;
    return false;
}

static void serve_request(BerthConversation *conversation, const BerthRpcMessage *message,
                          Batch *batch)
{
    gsize i = 0;
    while (i < G_N_ELEMENTS(methods) && strcmp(methods[i].name, message->method) != 0)
        i++;
    if (i == G_N_ELEMENTS(methods))
        answer_error(conversation, batch, message->id, BERTH_RPC_METHOD_NOT_FOUND,
                     "there is no such method");
    else if (is_used(conversation, message->id))
        answer_error(conversation, batch, message->id, BERTH_RPC_INVALID_REQUEST,
                     "a request with this id is still running");
    else if (conversation->revision == NULL && !methods[i].first)
        answer_error(conversation, batch, message->id, BERTH_RPC_INVALID_REQUEST,
                     "\"initialize\" comes first");
    else
        methods[i].run(conversation, message, batch);
}

static void serve_message(BerthConversation *conversation, JsonNode *node, bool nul, Batch *batch)
{
    BerthRpcMessage message = berth_rpc_read(node);
    switch (message.kind) {
    case BERTH_RPC_REQUEST:
        if (nul)
            answer_error(conversation, batch, message.id, BERTH_RPC_INVALID_PARAMS,
                         "a string has U+0000: write bytes as base64");
        else
            serve_request(conversation, &message, batch);
        break;
    case BERTH_RPC_NOTIFICATION:
        if (strcmp(message.method, "notifications/cancelled") == 0)
            cancel(conversation, message.params);
        break;
    case BERTH_RPC_INVALID:
        answer_error(conversation, batch, message.id, message.code, message.problem);
        break;
    case BERTH_RPC_RESPONSE:
        break;
    }
}

static void serve_batch(BerthConversation *conversation, JsonArray *messages, bool nul)
{
    guint count = json_array_get_length(messages);
    bool known = g_strcmp0(conversation->revision, REVISION_WITH_BATCHES) == 0;
    if (!known || count == 0 || count > BERTH_MCP_BATCH_MAX) {
        answer_error(conversation, NULL, NULL, BERTH_RPC_INVALID_REQUEST,
                     known ? "a batch has 1 to 100 messages" : "there are no batches");
        return;
    }
    Batch *batch = g_new0(Batch, 1);
    batch->answers = json_array_new();
    batch->open = 1;
    for (guint i = 0; i < count; i++)
        serve_message(conversation, json_array_get_element(messages, i), nul, batch);
    batch_release(conversation, batch);
}

void berth_conversation_receive(BerthConversation *conversation, const char *line, gsize size)
{
    bool nul;
    g_autofree char *problem = NULL;
    gsize blank = 0;
    while (blank < size && strchr(" \t\r", line[blank]) != NULL && line[blank] != '\0')
        blank++;
    if (blank == size)
        return;
    g_autoptr(JsonNode) node = berth_json_read(line, size, BERTH_RPC_DEPTH_MAX, &nul, &problem);
    if (node == NULL)
        answer_error(conversation, NULL, NULL, BERTH_RPC_PARSE_ERROR, problem);
    else if (JSON_NODE_HOLDS_ARRAY(node))
        serve_batch(conversation, json_node_get_array(node), nul);
    else
        serve_message(conversation, node, nul, NULL);
}

void berth_conversation_oversized(BerthConversation *conversation)
{
    answer_error(conversation, NULL, NULL, BERTH_RPC_PARSE_ERROR, "the message is too long");
}

void berth_conversation_finished(BerthConversation *conversation, guint number,
                                 const BerthMcpOutcome *outcome)
{
    Request *request = g_hash_table_lookup(conversation->requests, GUINT_TO_POINTER(number));
    g_return_if_fail(request != NULL);
    Batch *batch = request->batch;
    if (!request->cancelled) /* the client does not wait for it any more */
        answer(conversation, batch,
               berth_rpc_result(request->id,
                                berth_mcp_result(request->call, conversation->access, outcome)));
    g_hash_table_remove(conversation->requests, GUINT_TO_POINTER(number));
    batch_release(conversation, batch);
}

guint berth_conversation_calls(const BerthConversation *conversation)
{
    return g_hash_table_size(conversation->requests);
}
