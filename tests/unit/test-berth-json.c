/* SPDX-License-Identifier: MIT */
#include "../../cmd/berth/json.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Print the object that @write fills, and compare. */
static void check(void (*write)(Json *json), bool in_one_line, const char *expected)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("berth-json-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    Json *json = json_begin(in_one_line);
    write(json);
    json_print(json);
    dup2(kept, STDOUT_FILENO);

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_str_has_suffix(text, "\n"));
    text[strlen(text) - 1] = '\0';
    g_assert_cmpstr(text, ==, expected);
    g_unlink(path);
    close(fd);
    close(kept);
}

static void write_nothing(Json *json)
{
}

static void test_empty(void)
{
    check(write_nothing, true, "{\"schema\":1}");
}

static void write_values(Json *json)
{
    json_add_number(json, "most", G_MAXUINT64);
    json_add_bool(json, "yes", true);
    json_add_bool(json, "no", false);
    json_add_string(json, "nothing", NULL);
    json_add_time(json, "time", G_GINT64_CONSTANT(1764115200) * G_USEC_PER_SEC + 5);
    json_add_time(json, "never", 0);
}

static void test_values(void)
{
    check(write_values, true,
          "{\"schema\":1,\"most\":18446744073709551615,\"yes\":true,\"no\":false,\"nothing\":null,"
          "\"time\":\"2025-11-26T00:00:00Z\",\"never\":null}");
}

static void write_texts(Json *json)
{
    json_begin_array(json, "texts");
    json_add_string(json, NULL, "");
    json_add_string(json, NULL, "\"quoted\" C:\\back\\slash /slash");
    json_add_string(json, NULL, "\b\f\n\r\t");
    json_add_string(json, NULL, "\x01\x1f\x7f");
    json_add_string(json, NULL, "h\xc3\xa4user \xf0\x9f\x9a\xa2");
    json_add_string(json, NULL, "not \xff UTF-8 \xc3");
    json_end(json);
}

static void test_texts(void)
{
    check(write_texts, true,
          "{\"schema\":1,\"texts\":[\"\",\"\\\"quoted\\\" C:\\\\back\\\\slash /slash\","
          "\"\\b\\f\\n\\r\\t\",\"\\u0001\\u001f\\u007f\",\"h\xc3\xa4user \xf0\x9f\x9a\xa2\","
          "\"not \xef\xbf\xbd UTF-8 \xef\xbf\xbd\"]}");
}

static void write_nested(Json *json)
{
    json_begin_array(json, "distros");
    for (guint i = 0; i < 2; i++) {
        json_begin_object(json, NULL);
        json_add_number(json, "number", i);
        json_begin_array(json, "ports");
        for (guint j = 0; j < i; j++)
            json_add_number(json, NULL, 80);
        json_end(json);
        json_end(json);
    }
    json_end(json);
    json_begin_object(json, "none");
    json_end(json);
}

static void test_nested_in_one_line(void)
{
    check(write_nested, true,
          "{\"schema\":1,\"distros\":[{\"number\":0,\"ports\":[]},{\"number\":1,\"ports\":[80]}],"
          "\"none\":{}}");
}

static void test_nested_for_people(void)
{
    check(write_nested, false,
          "{\n"
          "  \"schema\" : 1,\n"
          "  \"distros\" : [\n"
          "    {\n"
          "      \"number\" : 0,\n"
          "      \"ports\" : []\n"
          "    },\n"
          "    {\n"
          "      \"number\" : 1,\n"
          "      \"ports\" : [\n"
          "        80\n"
          "      ]\n"
          "    }\n"
          "  ],\n"
          "  \"none\" : {}\n"
          "}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth/json/empty", test_empty);
    g_test_add_func("/berth/json/values", test_values);
    g_test_add_func("/berth/json/texts", test_texts);
    g_test_add_func("/berth/json/nested-in-one-line", test_nested_in_one_line);
    g_test_add_func("/berth/json/nested-for-people", test_nested_for_people);
    return g_test_run();
}
