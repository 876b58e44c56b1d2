/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

static void test_parse(void)
{
    static const struct {
        const char *text;
        guint32 seconds;
    } good[] = {{"0", 0},       {"90", 90},      {"90s", 90},     {"1sec", 1},
                {"30m", 1800},  {"30MIN", 1800}, {"2h", 7200},    {"1hour", 3600},
                {"3d", 259200}, {"007h", 25200}, {"4294967295", G_MAXUINT32}};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        guint32 seconds = 42;
        g_assert_true(berth_duration_parse(good[i].text, &seconds));
        g_assert_cmpuint(seconds, ==, good[i].seconds);
    }

    static const char *const bad[] = {"",    "h",   "-1",  "+1",         " 1",
                                      "1 h", "1.5h", "1hh", "2h30m",      "0x10",
                                      "1w",  "off", "1 ",  "4294967296", "49711d",
                                      "99999999999999999999999999"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        guint32 seconds = 42;
        g_assert_false(berth_duration_parse(bad[i], &seconds));
        g_assert_cmpuint(seconds, ==, 42);
    }
    g_assert_false(berth_duration_parse(NULL, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/duration/parse", test_parse);
    return g_test_run();
}
