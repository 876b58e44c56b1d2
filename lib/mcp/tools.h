/* SPDX-License-Identifier: MIT
 *
 * tools — what a client may ask for: a table of tools, and each call as a command line of berth.
 *
 * All checks are the commands' own, but two: which distros the server may touch, and whether it may
 * change anything.
 */
#pragma once

#include "call.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *const *distros; /* NULL or empty: all */
    bool read_only;
} BerthMcpAccess;

/* The result of tools/list: the tools that @access leaves. Free with json_node_unref. */
JsonNode *berth_mcp_tools_list(const BerthMcpAccess *access);

/* Whether there is a tool @name for @access. */
bool berth_mcp_tools_has(const BerthMcpAccess *access, const char *name);

/* The call of the tool @name, which must exist; NULL with @error. Errors: "usage.*", "mcp.distro".
 */
BerthMcpCall *berth_mcp_tools_call(const BerthMcpAccess *access, const char *name,
                                   JsonObject *arguments, GError **error);

G_END_DECLS
