/* SPDX-License-Identifier: MIT */
#include "call.h"

void berth_mcp_call_free(BerthMcpCall *call)
{
    if (call == NULL)
        return;
    g_clear_pointer(&call->argv, g_ptr_array_unref);
    g_clear_pointer(&call->input, g_bytes_unref);
    g_free(call->done);
    g_free(call);
}

void berth_mcp_output_init(BerthMcpOutput *output, gsize limit)
{
    *output =
        (BerthMcpOutput){.head = g_byte_array_new(), .tail = g_byte_array_new(), .limit = limit};
}

void berth_mcp_output_clear(BerthMcpOutput *output)
{
    g_clear_pointer(&output->head, g_byte_array_unref);
    g_clear_pointer(&output->tail, g_byte_array_unref);
}

void berth_mcp_output_add(BerthMcpOutput *output, const guint8 *bytes, gsize size)
{
    gsize head_limit = output->limit - output->limit / 2;
    gsize tail_limit = output->limit / 2;
    gsize to_head = MIN(size, head_limit - output->head->len);
    output->total += size;
    g_byte_array_append(output->head, bytes, (guint)to_head);
    g_byte_array_append(output->tail, bytes + to_head, (guint)(size - to_head));
    /* not at each call: what is moved is in proportion to what was added */
    if (output->tail->len > 2 * tail_limit)
        g_byte_array_remove_range(output->tail, 0, (guint)(output->tail->len - tail_limit));
}

void berth_mcp_outcome_clear(BerthMcpOutcome *outcome)
{
    berth_mcp_output_clear(&outcome->out);
    berth_mcp_output_clear(&outcome->err);
    g_clear_pointer(&outcome->error_id, g_free);
    g_clear_pointer(&outcome->error_text, g_free);
    g_clear_pointer(&outcome->error_hint, g_free);
}
