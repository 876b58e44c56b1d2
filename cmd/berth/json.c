/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdio.h>
#include <string.h>

struct Json {
    GString *text;
    bool in_one_line;
    bool empty;                /* the innermost object or array has no element yet */
    guint depth;               /* open objects and arrays */
    char ends[JSON_DEPTH_MAX]; /* their closing brackets */
};

static void new_line(Json *json)
{
    if (json->in_one_line)
        return;
    g_string_append_c(json->text, '\n');
    for (guint i = 0; i < json->depth; i++)
        g_string_append(json->text, "  ");
}

static void add_quoted(GString *text, const char *string)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    g_autofree char *valid = g_utf8_make_valid(string, -1);
    g_string_append_c(text, '"');
    for (const char *c = valid; *c != '\0'; c++) {
        const char *found = strchr(special, *c);
        if (found != NULL)
            g_string_append_printf(text, "\\%c", letters[found - special]);
        else if (g_ascii_iscntrl(*c))
            g_string_append_printf(text, "\\u%04x", (guint)*c);
        else
            g_string_append_c(text, *c);
    }
    g_string_append_c(text, '"');
}

/* Write the separator, the indentation and the name that precede a value. */
static void add_name(Json *json, const char *name)
{
    g_assert((name != NULL) == (json->ends[json->depth - 1] == '}'));
    if (!json->empty)
        g_string_append_c(json->text, ',');
    json->empty = false;
    new_line(json);
    if (name == NULL)
        return;
    add_quoted(json->text, name);
    g_string_append(json->text, json->in_one_line ? ":" : " : ");
}

static void begin(Json *json, const char *begin, char end)
{
    g_assert(json->depth < JSON_DEPTH_MAX);
    g_string_append(json->text, begin);
    json->ends[json->depth++] = end;
    json->empty = true;
}

Json *json_begin(bool in_one_line)
{
    Json *json = g_new0(Json, 1);
    json->text = g_string_new(NULL);
    json->in_one_line = in_one_line;
    begin(json, "{", '}');
    json_add_number(json, "schema", JSON_SCHEMA);
    return json;
}

void json_print(Json *json)
{
    json_end(json);
    g_assert(json->depth == 0);
    puts(json->text->str);
    fflush(stdout);
    json_free(json);
}

void json_free(Json *json)
{
    g_string_free(json->text, TRUE);
    g_free(json);
}

void json_print_part(Json *json)
{
    fputs(json->text->str, stdout);
    g_string_truncate(json->text, 0);
}

void json_begin_object(Json *json, const char *name)
{
    add_name(json, name);
    begin(json, "{", '}');
}

void json_begin_array(Json *json, const char *name)
{
    add_name(json, name);
    begin(json, "[", ']');
}

void json_end(Json *json)
{
    g_assert(json->depth > 0);
    json->depth--;
    if (!json->empty)
        new_line(json);
    g_string_append_c(json->text, json->ends[json->depth]);
    json->empty = false;
}

void json_add_string(Json *json, const char *name, const char *text)
{
    add_name(json, name);
    if (text == NULL)
        g_string_append(json->text, "null");
    else
        add_quoted(json->text, text);
}

void json_add_number(Json *json, const char *name, guint64 value)
{
    add_name(json, name);
    g_string_append_printf(json->text, "%" G_GUINT64_FORMAT, value);
}

void json_add_known(Json *json, const char *name, bool known, guint64 value)
{
    if (known)
        json_add_number(json, name, value);
    else
        json_add_string(json, name, NULL);
}

void json_add_bool(Json *json, const char *name, bool value)
{
    add_name(json, name);
    g_string_append(json->text, value ? "true" : "false");
}

void json_add_time(Json *json, const char *name, gint64 usec)
{
    g_autoptr(GDateTime) time =
        usec != 0 ? g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC) : NULL;
    g_autofree char *text = time != NULL ? g_date_time_format_iso8601(time) : NULL;
    json_add_string(json, name, text);
}
