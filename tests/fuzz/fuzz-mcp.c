/* SPDX-License-Identifier: MIT
 *
 * A client of the Model Context Protocol: whatever its lines are, each answer is one line of JSON
 * in UTF-8, each call that begins is one command line of berth's, and none begins that the server's
 * limits exclude. Outcomes have bytes of chance, too, as a hostile distro's.
 */
#include "mcp/conversation.h"
#include "mcp/rpc.h"

#include "fuzz.h"

#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t left;
} Input;

typedef struct {
    GArray *numbers; /* of calls that run */
    guint sent;
} World;

static uint8_t next_byte(Input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

static void begin(guint number, const BerthMcpCall *call, gpointer user_data)
{
    World *world = user_data;
    char **argv = (char **)call->argv->pdata;
    g_assert_cmpstr(argv[0], ==, "berth");
    g_assert_nonnull(argv[1]);
    g_assert_cmpuint(call->argv->len, ==, g_strv_length(argv) + 1);
    for (gsize i = 0; argv[i] != NULL; i++)
        if (strcmp(argv[i], "--distribution") == 0 && i == 2)
            g_assert_true(g_ascii_strcasecmp(argv[i + 1], "box") == 0);
    g_array_append_val(world->numbers, number);
    g_assert_cmpuint(world->numbers->len, <=, BERTH_MCP_CALLS_MAX);
}

static void cancel(guint number, gpointer user_data)
{
    const World *world = user_data;
    bool runs = false;
    for (guint i = 0; i < world->numbers->len; i++)
        runs = runs || g_array_index(world->numbers, guint, i) == number;
    g_assert_true(runs);
}

static void check_line(const char *line, gpointer user_data)
{
    World *world = user_data;
    g_autoptr(JsonParser) parser = json_parser_new();
    g_assert_true(g_utf8_validate(line, -1, NULL));
    for (const char *c = line; *c != '\0'; c++)
        g_assert_true((guchar)*c >= ' ');
    g_assert_true(json_parser_load_from_data(parser, line, -1, NULL));
    world->sent++;
}

static const BerthConversationOps ops = {begin, cancel, check_line};

/* Pieces of messages, which random bytes would rarely make. */
static const char *const pieces[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-"
    "03-26\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"run\","
    "\"arguments\":{",
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"tools/call\",\"params\":{\"name\":\"read\","
    "\"arguments\":{",
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"list\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"write\","
    "\"arguments\":{",
    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"ports\"}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}",
    "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\"}",
    "\"command\":\"ls\"",
    "\"path\":\"/a\"",
    "\"distro\":\"box\"",
    "\"distro\":\"other\"",
    "\"arguments\":[\"a\",\"b\"]",
    "\"environment\":{\"A\":\"b\"}",
    "\"content\":\"YQ==\"",
    "\"encoding\":\"base64\"",
    "\"limit\":3",
    "\"\\u0000\"",
    "}}}",
    ",",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\ud800",
    "1e999",
    "-9",
    "null",
};

static void send_line(BerthConversation *conversation, Input *input)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint count = next_byte(input) % 8u; count > 0; count--) {
        guint8 which = next_byte(input);
        if (which < 224)
            g_string_append(line, pieces[which % G_N_ELEMENTS(pieces)]);
        for (guint bytes = which % 8u; which >= 224 && bytes > 0; bytes--)
            g_string_append_c(line, (char)next_byte(input));
    }
    /* a copy of its own size, so that a sanitizer sees a read beyond it */
    g_autofree char *copy = g_memdup2(line->str, line->len);
    berth_conversation_receive(conversation, copy, line->len);
}

static void finish_one(BerthConversation *conversation, World *world, Input *input)
{
    if (world->numbers->len == 0)
        return;
    guint number = g_array_index(world->numbers, guint, 0);
    guint8 how = next_byte(input);
    guint8 bytes[64];
    BerthMcpOutcome outcome = {.status = how % 4 == 0 ? -1 : how % 2, .timed_out = how > 240};
    berth_mcp_output_init(&outcome.out, 1 + next_byte(input) % 48u);
    berth_mcp_output_init(&outcome.err, 8);
    gsize size = next_byte(input) % sizeof(bytes);
    for (gsize i = 0; i < size; i++)
        bytes[i] = next_byte(input);
    if (how % 8 == 1)
        berth_mcp_output_add(&outcome.out, (const guint8 *)"{\"distros\":[]}", 14);
    if (how % 8 == 2)
        berth_mcp_output_add(&outcome.out, (const guint8 *)"12\n", 3);
    berth_mcp_output_add(&outcome.out, bytes, size);
    berth_mcp_output_add(&outcome.err, bytes, size / 2);
    if (how % 16 == 4) {
        outcome.error_id = g_strdup("fuzz.error");
        outcome.error_text = g_strdup("it failed");
    }
    g_array_remove_index(world->numbers, 0);
    berth_conversation_finished(conversation, number, &outcome);
    berth_mcp_outcome_clear(&outcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const distros[] = {"box", NULL};
    Input input = {data, size};
    World world = {.numbers = g_array_new(FALSE, FALSE, sizeof(guint))};
    const BerthMcpAccess access = {.distros = distros, .read_only = next_byte(&input) % 4 == 0};
    BerthConversation *conversation = berth_conversation_new("1", &access, &ops, &world);
    if (next_byte(&input) % 8 != 0)
        berth_conversation_receive(conversation, pieces[0], strlen(pieces[0]));
    while (input.left > 0) {
        if (next_byte(&input) % 4 == 0)
            finish_one(conversation, &world, &input);
        else
            send_line(conversation, &input);
        g_assert_cmpuint(berth_conversation_calls(conversation), ==, world.numbers->len);
    }
    berth_conversation_free(conversation);
    g_array_unref(world.numbers);
    return 0;
}
