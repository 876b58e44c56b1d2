/* SPDX-License-Identifier: MIT
 *
 * result — the outcome of a call as the result of tools/call: text for a model, and the same as a
 * value ("structuredContent") for a program.
 *
 * Output that is no UTF-8, or has U+0000, is given twice: as text in which U+FFFD stands for each
 * bad byte, and exactly, as base64. Output over the limit is its begin and its end, with a line
 * between them that says how much is left out; it has no base64.
 */
#pragma once

#include "call.h"
#include "tools.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Free with json_node_unref. */
JsonNode *berth_mcp_result(const BerthMcpCall *call, const BerthMcpAccess *access,
                           const BerthMcpOutcome *outcome);

/* Of a call that was not begun. */
JsonNode *berth_mcp_result_error(const GError *error);

G_END_DECLS
