/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdio.h>

JsonBuilder *json_begin(void)
{
    JsonBuilder *builder = json_builder_new();
    json_builder_begin_object(builder);
    json_add_number(builder, "schema", JSON_SCHEMA);
    return builder;
}

static void print(JsonBuilder *builder, gboolean pretty)
{
    json_builder_end_object(builder);
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autofree char *text = json_to_string(root, pretty);
    printf("%s\n", text);
    g_object_unref(builder);
}

void json_print(JsonBuilder *builder)
{
    print(builder, TRUE);
}

void json_print_line(JsonBuilder *builder)
{
    print(builder, FALSE);
    fflush(stdout);
}

void json_add_string(JsonBuilder *builder, const char *name, const char *text)
{
    json_builder_set_member_name(builder, name);
    if (text == NULL) {
        json_builder_add_null_value(builder);
        return;
    }
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    json_builder_add_string_value(builder, valid);
}

void json_add_number(JsonBuilder *builder, const char *name, guint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)value);
}

void json_add_bool(JsonBuilder *builder, const char *name, gboolean value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

void json_add_time(JsonBuilder *builder, const char *name, gint64 usec)
{
    g_autoptr(GDateTime) time =
        usec != 0 ? g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC) : NULL;
    g_autofree char *text = time != NULL ? g_date_time_format_iso8601(time) : NULL;
    json_add_string(builder, name, text);
}
