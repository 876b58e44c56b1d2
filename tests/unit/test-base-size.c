/* SPDX-License-Identifier: MIT */
#include "base/size.h"

static void test_parse(void)
{
    static const struct {
        const char *text;
        guint64 size;
    } good[] = {{"0", 0},
                {"4096", 4096},
                {"1K", 1024},
                {"512M", G_GUINT64_CONSTANT(512) << 20},
                {"4gb", G_GUINT64_CONSTANT(4) << 30},
                {"1TiB", G_GUINT64_CONSTANT(1) << 40},
                {"7b", 7},
                {"18446744073709551615", G_MAXUINT64}};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        guint64 size = 1;
        g_assert_true(berth_size_parse(good[i].text, &size));
        g_assert_cmpuint(size, ==, good[i].size);
    }

    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 G",
                                      "G",
                                      "1.5G",
                                      "1X",
                                      "1GG",
                                      "1iB",
                                      "18446744073709551616",
                                      "99999999T",
                                      "0x10"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        guint64 size = 42;
        g_assert_false(berth_size_parse(bad[i], &size));
        g_assert_cmpuint(size, ==, 42);
    }
    g_assert_false(berth_size_parse(NULL, NULL));
}

static void test_format(void)
{
    static const struct {
        guint64 size;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {G_GUINT64_CONSTANT(980) << 20, "980 MiB"},
                 {(G_GUINT64_CONSTANT(1) << 30) - 1, "1.0 GiB"},
                 {G_GUINT64_CONSTANT(1) << 40, "1.0 TiB"},
                 {G_GUINT64_CONSTANT(5000) << 40, "5000 TiB"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = berth_size_format(cases[i].size);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/size/parse", test_parse);
    g_test_add_func("/base/size/format", test_format);
    return g_test_run();
}
