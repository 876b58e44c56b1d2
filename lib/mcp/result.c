/* SPDX-License-Identifier: MIT */
#include "result.h"

#include "base/error.h"
#include "json/json_reader.h"
#include "rpc.h"

#include <stdlib.h>
#include <string.h>

static JsonNode *node_of(JsonObject *object)
{
    JsonNode *node = json_node_init_object(json_node_alloc(), object);
    json_object_unref(object);
    return node;
}

/* Takes @value, an object. */
static JsonNode *make(const char *text, JsonObject *value, bool is_error)
{
    JsonObject *block = json_object_new();
    JsonArray *content = json_array_new();
    JsonObject *result = json_object_new();
    json_object_set_string_member(block, "type", "text");
    json_object_set_string_member(block, "text", text);
    json_array_add_object_element(content, block);
    json_object_set_array_member(result, "content", content);
    json_object_set_object_member(result, "structuredContent", value);
    json_object_set_boolean_member(result, "isError", is_error);
    return node_of(result);
}

/* --- errors --- */

static JsonObject *error_object(const char *id, const char *message, const char *hint)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "code", id);
    json_object_set_string_member(object, "message", message);
    if (hint != NULL)
        json_object_set_string_member(object, "hint", hint);
    return object;
}

/* As the command prints it. */
static void add_error_text(GString *text, const char *id, const char *message, const char *hint)
{
    g_string_append_printf(text, "%s\ncode: %s\n", message, id);
    if (hint != NULL)
        g_string_append_printf(text, "hint: %s\n", hint);
}

static JsonNode *make_error(const char *id, const char *message, const char *hint)
{
    g_autoptr(GString) text = g_string_new(NULL);
    JsonObject *value = json_object_new();
    add_error_text(text, id, message, hint);
    json_object_set_object_member(value, "error", error_object(id, message, hint));
    return make(text->str, value, true);
}

JsonNode *berth_mcp_result_error(const GError *error)
{
    g_autofree char *message = g_utf8_make_valid(error->message, -1);
    return make_error(berth_error_id(error), message, berth_error_hint(error));
}

/* Of an outcome without a result of its own. */
static JsonNode *make_failure(const BerthMcpOutcome *outcome)
{
    if (outcome->timed_out)
        return make_error("mcp.time-limit", "the call took longer than its time limit", NULL);
    if (outcome->error_id != NULL)
        return make_error(outcome->error_id, outcome->error_text, outcome->error_hint);
    return make_error("mcp.ended", "berth ended without a result", NULL);
}

/* --- bytes --- */

/* The bytes at the end of @bytes that begin a character and do not complete it. */
static gsize partial_end(const guint8 *bytes, gsize size)
{
    for (gsize back = 1; back <= MIN(size, 3); back++) {
        guint8 byte = bytes[size - back];
        if ((byte & 0xC0) == 0x80)
            continue;
        gsize length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

static gsize partial_begin(const guint8 *bytes, gsize size)
{
    gsize count = 0;
    while (count < MIN(size, 3) && (bytes[count] & 0xC0) == 0x80)
        count++;
    return count;
}

/* The next two take NULL for no bytes. */
static bool is_text(const guint8 *bytes, gsize size)
{
    return size == 0 || g_utf8_validate_len((const char *)bytes, size, NULL);
}

static char *valid_text(const guint8 *bytes, gsize size)
{
    return size > 0 ? g_utf8_make_valid((const char *)bytes, (gssize)size) : g_strdup("");
}

static char *cut_text(const BerthMcpOutput *output)
{
    gsize tail_size = MIN(output->tail->len, output->limit / 2);
    const guint8 *tail = output->tail->data + output->tail->len - tail_size;
    gsize skipped = partial_begin(tail, tail_size);
    gsize dropped = partial_end(output->head->data, output->head->len);
    g_autofree char *begin = valid_text(output->head->data, output->head->len - dropped);
    g_autofree char *end = valid_text(tail + skipped, tail_size - skipped);
    return g_strdup_printf("%s\n[%" G_GUINT64_FORMAT " bytes left out]\n%s", begin,
                           output->total - output->head->len - tail_size + skipped + dropped, end);
}

/* Add NAME, NAME_bytes, NAME_cut and perhaps NAME_base64; returns the text, free with g_free. */
static char *add_output(JsonObject *value, const char *name, const BerthMcpOutput *output)
{
    g_autofree char *bytes_name = g_strconcat(name, "_bytes", NULL);
    g_autofree char *cut_name = g_strconcat(name, "_cut", NULL);
    g_autofree char *exact_name = g_strconcat(name, "_base64", NULL);
    g_autoptr(GByteArray) all = g_byte_array_new();
    g_byte_array_append(all, output->head->data, output->head->len);
    g_byte_array_append(all, output->tail->data, output->tail->len);
    bool cut = berth_mcp_output_is_cut(output);
    char *text = cut ? cut_text(output) : valid_text(all->data, all->len);
    json_object_set_string_member(value, name, text);
    json_object_set_int_member(value, bytes_name, (gint64)output->total);
    json_object_set_boolean_member(value, cut_name, cut);
    if (cut || is_text(all->data, all->len))
        return text;
    g_autofree char *exact = g_base64_encode(all->data, all->len);
    json_object_set_string_member(value, exact_name, exact);
    return text;
}

/* --- forms --- */

static void add_part(GString *text, const char *name, const char *part)
{
    if (part[0] == '\0')
        return;
    bool ends = g_str_has_suffix(part, "\n");
    g_string_append_printf(text, "%s:\n%s%s", name, part, ends ? "" : "\n");
}

static JsonNode *make_run(const BerthMcpCall *call, const BerthMcpOutcome *outcome)
{
    g_autoptr(GString) text = g_string_new(NULL);
    JsonObject *value = json_object_new();
    if (outcome->timed_out)
        g_string_append_printf(text, "ended after its time limit of %u s\n", call->time_limit_sec);
    else if (outcome->status >= 0)
        g_string_append_printf(text, "exit status: %d\n", outcome->status);
    if (outcome->status >= 0 && !outcome->timed_out)
        json_object_set_int_member(value, "exit_status", outcome->status);
    else
        json_object_set_null_member(value, "exit_status");
    json_object_set_boolean_member(value, "timed_out", outcome->timed_out);
    g_autofree char *out = add_output(value, "stdout", &outcome->out);
    g_autofree char *err = add_output(value, "stderr", &outcome->err);
    add_part(text, "stdout", out);
    add_part(text, "stderr", err);
    if (outcome->error_id != NULL && !outcome->timed_out) {
        add_error_text(text, outcome->error_id, outcome->error_text, outcome->error_hint);
        json_object_set_object_member(
            value, "error",
            error_object(outcome->error_id, outcome->error_text, outcome->error_hint));
    }
    return make(text->str, value, outcome->timed_out || outcome->error_id != NULL);
}

/* Remove the elements of @array whose @field names another distro than those of @access. */
static void restrict_array(JsonArray *array, const char *field, const BerthMcpAccess *access)
{
    for (guint i = json_array_get_length(array); i > 0; i--) {
        JsonObject *element = json_array_get_object_element(array, i - 1);
        const char *name = json_object_get_string_member_with_default(element, field, NULL);
        bool kept = false;
        for (gsize j = 0; name != NULL && access->distros[j] != NULL; j++)
            kept = kept || g_ascii_strcasecmp(access->distros[j], name) == 0;
        if (!kept)
            json_array_remove_element(array, i - 1);
    }
}

static JsonNode *make_json(const BerthMcpCall *call, const BerthMcpAccess *access,
                           const BerthMcpOutcome *outcome)
{
    g_autofree char *problem = NULL;
    const GByteArray *bytes = outcome->out.head;
    if (berth_mcp_output_is_cut(&outcome->out) || outcome->out.tail->len > 0)
        return make_error("mcp.too-large", "the answer is too large", NULL);
    g_autoptr(JsonNode) root =
        berth_json_read((const char *)bytes->data, bytes->len, BERTH_RPC_DEPTH_MAX, NULL, &problem);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root))
        return make_failure(outcome);
    JsonObject *object = json_node_get_object(root);
    if (call->array != NULL && access->distros != NULL && access->distros[0] != NULL)
        restrict_array(json_object_get_array_member(object, call->array), call->field, access);
    g_autofree char *text = berth_rpc_format(root, true);
    return make(text, json_object_ref(object), false);
}

static JsonNode *make_file(const BerthMcpCall *call, const BerthMcpOutcome *outcome)
{
    const GByteArray *bytes = outcome->out.head; /* never cut: the limit is twice as high */
    const guint8 *newline = bytes->len > 0 ? memchr(bytes->data, '\n', MIN(bytes->len, 24)) : NULL;
    g_autofree char *digits =
        newline != NULL ? g_strndup((const char *)bytes->data, (gsize)(newline - bytes->data))
                        : NULL;
    guint64 size;
    if (digits == NULL || !g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64, &size, NULL))
        return make_error("file.protocol", "the distro did not send the file", NULL);
    const guint8 *data = newline + 1;
    gsize count = MIN(bytes->len - strlen(digits) - 1, call->limit);
    gsize whole = count - (count == call->limit ? partial_end(data, count) : 0);
    bool text = !call->base64 && is_text(data, whole) && (whole > 0 || count == 0);
    count = text ? whole : count;
    g_autofree char *content =
        text ? g_strndup((const char *)data, count) : g_base64_encode(data, count);
    JsonObject *value = json_object_new();
    json_object_set_string_member(value, "encoding", text ? "utf-8" : "base64");
    json_object_set_string_member(value, "content", content);
    json_object_set_int_member(value, "size", (gint64)MAX(size, call->offset + count));
    json_object_set_int_member(value, "offset", (gint64)call->offset);
    json_object_set_int_member(value, "bytes", (gint64)count);
    return make(content, value, false);
}

static JsonNode *make_done(const BerthMcpCall *call, const BerthMcpOutcome *outcome)
{
    g_autoptr(GString) text = g_string_new(call->done);
    JsonObject *value = json_object_new();
    g_autofree char *output = valid_text(outcome->out.head->data, outcome->out.head->len);
    g_autofree char *notices = valid_text(outcome->err.head->data, outcome->err.head->len);
    json_object_set_string_member(value, "done", call->done);
    if (output[0] != '\0')
        json_object_set_string_member(value, "output", output);
    json_object_set_string_member(value, "notices", notices);
    if (output[0] != '\0')
        g_string_append_printf(text, "\n%s", g_strchomp(output));
    if (notices[0] != '\0')
        g_string_append_printf(text, "\n%s", g_strchomp(notices));
    return make(text->str, value, false);
}

JsonNode *berth_mcp_result(const BerthMcpCall *call, const BerthMcpAccess *access,
                           const BerthMcpOutcome *outcome)
{
    if (call->form == BERTH_MCP_RUN && (outcome->status >= 0 || outcome->timed_out))
        return make_run(call, outcome);
    if (outcome->status != 0 || outcome->timed_out || outcome->error_id != NULL)
        return make_failure(outcome);
    switch (call->form) {
    case BERTH_MCP_JSON:
        return make_json(call, access, outcome);
    case BERTH_MCP_FILE:
        return make_file(call, outcome);
    case BERTH_MCP_RUN:
    case BERTH_MCP_DONE:
        break;
    }
    return make_done(call, outcome);
}
