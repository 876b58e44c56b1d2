/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <string.h>

static void test_clean(void)
{
    static const struct {
        const char *text;
        gsize max;
        const char *clean;
    } rows[] = {
        {"", 0, ""},
        {"abc", 0, ""},
        {"abc", 2, "ab"},
        {"abc", 3, "abc"},
        {"a\033[2J\nb\177", 100, "a [2J b "},
        {"a\xc2\x9b"
         "b",
         100, "a  b"}, /* CSI of C1 */
        {"\xc3\xa4\xc3\xb6", 3, "\xc3\xa4"},
        {"\xc3\xa4\xc3\xb6", 4, "\xc3\xa4\xc3\xb6"},
        {"a\xff", 100, "a\xef\xbf\xbd"},
        {"a\xff", 2, "a"},
        {"\x80\x80\x80", 1, ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *clean = berth_text_clean(rows[i].text, rows[i].max);
        g_assert_cmpstr(clean, ==, rows[i].clean);
    }
}

/* The result of any bytes is valid, on one line and within the limit. */
static void test_any_bytes(void)
{
    for (guint i = 0; i < 20000; i++) {
        char bytes[24];
        gsize size = (gsize)g_test_rand_int_range(0, sizeof(bytes) - 1);
        for (gsize j = 0; j < size; j++)
            bytes[j] = (char)g_test_rand_int_range(1, 256);
        bytes[size] = '\0';
        gsize max = (gsize)g_test_rand_int_range(0, 24);
        g_autofree char *clean = berth_text_clean(bytes, max);
        g_assert_cmpuint(strlen(clean), <=, max);
        g_assert_true(g_utf8_validate(clean, -1, NULL));
        for (const char *at = clean; *at != '\0'; at = g_utf8_next_char(at))
            g_assert_false(g_unichar_iscntrl(g_utf8_get_char(at)));
    }
}

static void test_escape(void)
{
    static const char *const cases[][2] = {
        {"usr/bin/sudo", "usr/bin/sudo"}, {"", "/"},         {"a\nb\033", "a\\012b\\033"},
        {"caf\xe9", "caf\\351"},          {"\xc3\xa9", "é"}, {"\xc2\x85", "\\302\\205"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = berth_text_escape(cases[i][0]);
        g_assert_cmpstr(text, ==, cases[i][1]);
    }
    g_autofree char *endless = g_strnfill(5000, 'x');
    g_autofree char *text = berth_text_escape(endless);
    g_assert_cmpuint(strlen(text), ==, 203);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/text/clean", test_clean);
    g_test_add_func("/base/text/any-bytes", test_any_bytes);
    g_test_add_func("/base/text/escape", test_escape);
    return g_test_run();
}
