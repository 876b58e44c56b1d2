/* SPDX-License-Identifier: MIT */
#include "manifest.h"

#include "base/error.h"
#include "json/json_reader.h"

#include <string.h>

#define DEPTH_MAX 32 /* a real list has five */

/* @node as text that fits a field; NULL if it is missing or of another type. Borrowed. */
static const char *text_in(JsonNode *node)
{
    const char *text = berth_json_text(node);
    return text != NULL && strpbrk(text, "\t\r\n") == NULL ? text : NULL;
}

static const char *text_of(JsonObject *object, const char *name)
{
    return text_in(json_object_get_member(object, name));
}

static bool is_set(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);
    return node != NULL && JSON_NODE_HOLDS_VALUE(node) && json_node_get_boolean(node);
}

/* Mirrors are berth's own member, which WSL ignores. */
static void add_mirrors(GString *lines, JsonObject *file)
{
    JsonArray *mirrors = berth_json_array(file, "Mirrors");
    for (guint i = 0; mirrors != NULL && i < json_array_get_length(mirrors); i++) {
        const char *url = text_in(json_array_get_element(mirrors, i));
        g_string_append_printf(lines, "%c%s", i == 0 ? '\t' : ' ', url != NULL ? url : "?");
    }
}

static void add_version(GString *lines, const char *flavour, JsonObject *version,
                        const char *architecture)
{
    g_autofree char *member = g_strconcat(architecture, "Url", NULL);
    JsonObject *file = berth_json_object(version, member);
    const char *name = text_of(version, "Name");
    const char *title = text_of(version, "FriendlyName");
    const char *url = file != NULL ? text_of(file, "Url") : NULL;
    const char *sha256 = file != NULL ? text_of(file, "Sha256") : NULL;
    if (name == NULL || url == NULL)
        return;
    g_string_append_printf(
        lines, "%s\t%s\t%s\t%s\t%s\t%s", flavour, name, title != NULL ? title : name,
        is_set(version, "Default") ? "default" : "", url, sha256 != NULL ? sha256 : "");
    add_mirrors(lines, file);
    g_string_append_c(lines, '\n');
}

static void add_flavour(GString *lines, JsonObject *flavours, const char *flavour,
                        const char *architecture)
{
    JsonArray *versions = berth_json_array(flavours, flavour);
    for (guint i = 0; versions != NULL && i < json_array_get_length(versions); i++) {
        JsonObject *version = berth_json_element(versions, i);
        if (version != NULL)
            add_version(lines, flavour, version, architecture);
    }
}

static JsonObject *flavours_of(JsonNode *root)
{
    return root != NULL && JSON_NODE_HOLDS_OBJECT(root)
               ? berth_json_object(json_node_get_object(root), "ModernDistributions")
               : NULL;
}

char *berth_fetch_manifest_lines(const char *json, gsize size, const char *architecture,
                                 GError **error)
{
    g_autofree char *problem = NULL;
    g_autoptr(JsonNode) root = berth_json_read(json, size, DEPTH_MAX, NULL, &problem);
    JsonObject *flavours = flavours_of(root);
    if (flavours == NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.manifest", NULL,
                        "this is no list of distros: %s",
                        problem != NULL ? problem : "ModernDistributions is missing");
        return NULL;
    }
    GString *lines = g_string_new(NULL);
    g_autoptr(GList) names = json_object_get_members(flavours);
    for (const GList *at = names; at != NULL; at = at->next)
        if (strpbrk(at->data, "\t\r\n") == NULL)
            add_flavour(lines, flavours, at->data, architecture);
    return g_string_free(lines, FALSE);
}
