/* SPDX-License-Identifier: MIT */
#include "json/json_check.h"
#include "json/json_reader.h"

#include <string.h>

#define DEPTH 4

static void test_accepted(void)
{
    static const char *const rows[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "10",
        "1.5",
        "1e3",
        "1E+3",
        "-0.5e-3",
        "\"\"",
        " [ ] ",
        "\t{\r}\n",
        "[[[[]]]]",
        "{\"a\":{\"b\":[{}]}}",
        "[1, \"a\",null]",
        "{\"a\":1,\"A\":1,\"\":2}",
        "[{\"a\":1},{\"a\":2}]",
        "\"\xc3\xa9\\u00e9\\ud83d\\ude00\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "9223372036854775807",
        "-9223372036854775808",
        "1e308",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *problem = NULL;
        g_autoptr(JsonNode) node = berth_json_read(rows[i], strlen(rows[i]), DEPTH, NULL, &problem);
        g_assert_cmpstr(problem, ==, NULL);
        g_assert_nonnull(node);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {"", "it ends too early"},
        {" ", "it ends too early"},
        {"{", "it ends too early"},
        {"[1,", "[1]: it ends too early"},
        {"\"a", "it ends too early"},
        {"\"a\\", "it ends too early"},
        {"nul", "it is not JSON"},
        {"nullx", "it is more than one value"},
        {"{} {}", "it is more than one value"},
        {"[]//", "it is more than one value"},
        {"/**/[]", "it is not JSON"},
        {"'a'", "it is not JSON"},
        {"[1,]", "[1]: it is not JSON"},
        {"{\"a\":1,}", "a key in quotes is missing"},
        {"{a:1}", "a key in quotes is missing"},
        {"{\"a\" 1}", "a: a colon is missing"},
        {"[1 2]", "a comma or a closing bracket is missing"},
        {"[1}", "a comma or a closing bracket is missing"},
        {"[[[[[]]]]]", "[0][0][0][0]: the nesting is too deep"},
        {"{\"a\":{\"b\":[{},{\"c\":[]}]}}", "a.b[1].c: the nesting is too deep"},
        {"01", "a number begins with a zero"},
        {"-", "it ends too early"},
        {"+1", "it is not JSON"},
        {".5", "it is not JSON"},
        {"1.", "it ends too early"},
        {"[1.]", "[0]: it is not JSON"},
        {"0x10", "it is more than one value"},
        {"{\"size\":9223372036854775808}", "size: a number is too large"},
        {"-9223372036854775809", "a number is too large"},
        {"[0,1e999]", "[1]: a number is too large"},
        {"NaN", "it is not JSON"},
        {"{\"a\":1,\"a\":1}", "a: the key is there twice"},
        {"[{\"x\":{\"a\":1,\"\\u0061\":1}}]", "[0].x.a: the key is there twice"},
        {"\"a\tb\"", "a string has a control code"},
        {"\"\\x41\"", "a string has an unknown escape"},
        {"\"\\u12g4\"", "\\u needs four hexadecimal digits"},
        {"\"\\ud800\"", "a string has half a character"},
        {"\"\\ud800\\u0041\"", "a string has half a character"},
        {"\"\\udc00\"", "a string has half a character"},
        {"[\"\\u0000\"]", "a string has a zero byte"},
        {"\"\xff\"", "it is not UTF-8"},
        {"\"\xed\xa0\x80\"", "it is not UTF-8"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *problem = NULL;
        const char *text = rows[i].text;
        g_assert_null(berth_json_read(text, strlen(text), DEPTH, NULL, &problem));
        g_assert_cmpstr(problem, ==, rows[i].problem);
    }
}

/* A zero byte ends no text, and U+0000 is told to those who ask. */
static void test_zeros(void)
{
    g_autofree char *problem = NULL;
    bool nul = false;
    g_assert_false(berth_json_check("[]\0", 3, DEPTH, NULL, &problem));
    g_assert_true(berth_json_check("[\"\\u0000\"]", 10, DEPTH, &nul, NULL) && nul);
    g_assert_true(berth_json_check("[\"0000\"]", 8, DEPTH, &nul, NULL) && !nul);
    g_autofree char *twice = NULL;
    static const char keys[] = "{\"a\\u0000b\":1,\"a\\u0000c\":1}";
    g_assert_true(berth_json_check(keys, strlen(keys), DEPTH, &nul, &twice));
}

/* The limit holds for the recursion, too. */
static void test_depth(void)
{
    const gsize size = 1 << 20;
    g_autofree char *problem = NULL;
    g_autofree char *brackets = g_malloc(size);
    memset(brackets, '[', size);
    g_assert_false(berth_json_check(brackets, size, 32, NULL, &problem));
    g_assert_true(g_str_has_suffix(problem, "the nesting is too deep"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/json_check/accepted", test_accepted);
    g_test_add_func("/json/json_check/refused", test_refused);
    g_test_add_func("/json/json_check/zeros", test_zeros);
    g_test_add_func("/json/json_check/depth", test_depth);
    return g_test_run();
}
