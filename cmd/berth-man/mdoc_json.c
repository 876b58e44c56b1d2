/* SPDX-License-Identifier: MIT */
#include "mdoc_json.h"

#include "mdoc_text.h"

#include <json-glib/json-glib.h>
#include <string.h>

static const char introduction[] =
    ".Sh DESCRIPTION\nWith\n.Fl \\-json ,\ncommands of\n.Xr berth 1\nprint one JSON object in "
    "UTF-8 "
    "on standard output.\n.Pa " BERTH_SCHEMAS_DIR "\nhas a JSON Schema (2020\\-12) of each, in the "
    "file that is named below.\n.Pp\n"
    "The member\n.Li schema\nis the version of an object.\n"
    "It increases when a member is removed or changes its meaning.\n"
    "A later berth may add members at any time,\nand values where no list of values is below.\n"
    "A program ignores members that it does not know,\nand refuses a version that it does not "
    "know.\n.Pp\n"
    "Sizes are bytes, times are ISO 8601 in UTC.\n"
    "A member without a value is null; one that is marked as optional may be missing.\n.Pp\n"
    "Errors are text on standard error, also with\n.Fl \\-json :\n"
    ".Bd -literal -offset indent\n$ berth ports nobody \\-\\-json\n"
    "berth: ports nobody: there is no distro called nobody\ncode: distro.not\\-found\n"
    "hint: \"berth list\" shows the distros\n.Ed\n.Pp\n"
    "The code stays the same between versions, the other lines may change.\n"
    "The exit status is in each command's own page.\n"
    ".Sh OBJECTS\nThe member\n.Li schema\nof each object is left out.\n";

static void add_members(GString *page, JsonObject *schema);

static void append_type(GString *text, const char *name)
{
    g_string_append_printf(text, "%s%s", text->len > 0 ? " or " : "", name);
}

/* "string or null", "array of integer" */
static char *describe_type(JsonObject *schema)
{
    GString *text = g_string_new(NULL);
    JsonNode *type = json_object_get_member(schema, "type");
    if (JSON_NODE_HOLDS_ARRAY(type)) {
        JsonArray *types = json_node_get_array(type);
        for (guint i = 0; i < json_array_get_length(types); i++)
            append_type(text, json_array_get_string_element(types, i));
    } else {
        append_type(text, json_node_get_string(type));
    }
    if (json_object_has_member(schema, "items")) {
        g_autofree char *element = describe_type(json_object_get_object_member(schema, "items"));
        g_string_append_printf(text, " of %s", element);
    }
    return g_string_free(text, FALSE);
}

static bool is_required(JsonObject *schema, const char *name)
{
    JsonArray *required = json_object_get_array_member(schema, "required");
    for (guint i = 0; i < json_array_get_length(required); i++)
        if (strcmp(json_array_get_string_element(required, i), name) == 0)
            return true;
    return false;
}

static void add_values(GString *page, JsonArray *values)
{
    g_autoptr(GString) text = g_string_new("One of ");
    for (guint i = 0; i < json_array_get_length(values); i++)
        g_string_append_printf(text, "%s\"%s\"", i > 0 ? ", " : "",
                               json_array_get_string_element(values, i));
    mdoc_add_sentence(page, text->str);
}

static void add_member(GString *page, JsonObject *schema, const char *name, JsonObject *member)
{
    g_autofree char *type = describe_type(member);
    g_string_append_printf(page, ".It Li %s Pq %s%s\n", name, type,
                           is_required(schema, name) ? "" : ", optional");
    mdoc_add_sentence(page, json_object_get_string_member(member, "description"));
    if (json_object_has_member(member, "enum"))
        add_values(page, json_object_get_array_member(member, "enum"));
    if (json_object_has_member(member, "properties"))
        add_members(page, member);
    else if (json_object_has_member(member, "items") &&
             json_object_has_member(json_object_get_object_member(member, "items"), "properties"))
        add_members(page, json_object_get_object_member(member, "items"));
}

/* @schema is that of an object. */
static void add_members(GString *page, JsonObject *schema)
{
    JsonObject *members = json_object_get_object_member(schema, "properties");
    g_autoptr(GList) names = json_object_get_members(members);
    g_string_append(page, ".Bl -tag -width Ds -compact\n");
    for (const GList *i = names; i != NULL; i = i->next)
        if (strcmp(i->data, "schema") != 0)
            add_member(page, schema, i->data, json_object_get_object_member(members, i->data));
    g_string_append(page, ".El\n");
}

static bool add_schema(GString *page, const char *directory, const char *file, GError **error)
{
    g_autofree char *path = g_build_filename(directory, file, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!json_parser_load_from_file(parser, path, error))
        return false;
    JsonObject *schema = json_node_get_object(json_parser_get_root(parser));
    JsonObject *members = json_object_get_object_member(schema, "properties");
    JsonObject *version = json_object_get_object_member(members, "schema");
    g_string_append(page, ".Ss ");
    mdoc_add_line(page, json_object_get_string_member(schema, "title"));
    g_string_append(page, ".Pa ");
    mdoc_add_escaped(page, file, strlen(file));
    g_string_append_printf(page, " ,\nschema %d\n.Pp\n",
                           (int)json_object_get_int_member(version, "const"));
    add_members(page, schema);
    return true;
}

static int compare(gconstpointer one, gconstpointer other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* The names of the schemas' files, sorted. */
static GPtrArray *list_schemas(const char *directory, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, error);
    if (dir == NULL)
        return NULL;
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;)
        if (g_str_has_suffix(name, ".json"))
            g_ptr_array_add(files, g_strdup(name));
    g_ptr_array_sort(files, compare);
    return files;
}

bool mdoc_add_json(GString *page, const char *directory, GError **error)
{
    g_autoptr(GPtrArray) files = list_schemas(directory, error);
    if (files == NULL)
        return false;
    mdoc_add_head(page, "berth-json", 5, "what commands of berth print for programs");
    g_string_append(page, introduction);
    for (guint i = 0; i < files->len; i++)
        if (!add_schema(page, directory, files->pdata[i], error))
            return false;
    g_string_append(page, ".Sh FILES\n.Bl -tag -width Ds\n.It Pa " BERTH_SCHEMAS_DIR
                          "\nThe schemas.\n.El\n.Sh SEE ALSO\n.Xr berth 1 ,\n.Xr berth\\-mcp 1\n");
    return true;
}
