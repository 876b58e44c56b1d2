/* SPDX-License-Identifier: MIT
 *
 * serve — the Model Context Protocol over two descriptors: a message a line, until the client
 * closes its end or a signal comes. Then the calls that run are cancelled.
 */
#pragma once

#include "children.h"
#include "tools.h"

G_BEGIN_DECLS

typedef struct {
    int input, output;
    const char *version; /* of berth */
    BerthMcpAccess access;
    BerthPerform perform;
} BerthMcpServe;

/* Returns when all is done. Errors: "mcp.input.*", "mcp.output.*". */
bool berth_mcp_serve(const BerthMcpServe *serve, GError **error);

G_END_DECLS
