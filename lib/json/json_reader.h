/* SPDX-License-Identifier: MIT
 *
 * json_reader — a stranger's JSON as json-glib's nodes: of images and registries, lists of distros,
 * clients of the Model Context Protocol.
 *
 * json-glib recurses without a limit, accepts comments and several values, takes one of two members
 * with the same key, and lets numbers wrap. So json_check reads the bytes first, and only what it
 * accepts is parsed. The functions below tell a member that is missing or of another type by NULL.
 */
#pragma once

#include "json_check.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* The value in @text; free with json_node_unref. NULL with *ret_problem, and the other parameters,
 * as in json_check.h. A string with U+0000 ends there. */
JsonNode *berth_json_read(const char *text, gsize size, guint depth_max, bool *ret_nul,
                          char **ret_problem);

/* Borrowed from the node, object or list. NULL is allowed, and has no member. */
const char *berth_json_text(JsonNode *node);
const char *berth_json_string(JsonObject *object, const char *name);
JsonObject *berth_json_object(JsonObject *object, const char *name);
JsonArray *berth_json_array(JsonObject *object, const char *name);
JsonObject *berth_json_element(JsonArray *array, guint i);

G_END_DECLS
