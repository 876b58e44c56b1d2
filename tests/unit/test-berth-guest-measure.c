/* SPDX-License-Identifier: MIT
 *
 * What the kernel says of memory, and a file system of itself.
 */
#include "os/measure.h"

#include <glib.h>
#include <string.h>

static void test_memory(void)
{
    static const struct {
        const char *text;
        guint64 memory, available; /* KiB */
    } rows[] = {
        {"MemTotal:        1012345 kB\nMemFree:          5 kB\nMemAvailable:     700000 kB\n",
         1012345, 700000},
        {"MemAvailable: 7 kB\nMemTotal: 9 kB", 9, 7},
        {"MemTotal: 9 kB\n", 9, 0},
        {"", 0, 0},
        {"\n\n", 0, 0},
        {"MemTotal:", 0, 0},
        {"MemTotal: -1 kB\nMemAvailable: x\n", 0, 0},
        {"XMemTotal: 9 kB\n MemTotal: 9 kB\n", 0, 0},
        {"MemTotal: 99999999999999999999999 kB\nMemAvailable: 18014398509481984 kB\n", 0, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        Measure measure = {0};
        measure_memory(rows[i].text, &measure);
        g_assert_cmpuint(measure.memory, ==, rows[i].memory << 10);
        g_assert_cmpuint(measure.memory_available, ==, rows[i].available << 10);
    }
}

/* Any bytes: it ends, and reads nothing behind them. */
static void test_any_text(void)
{
    static const char letters[] = "MemTotal:Available 0123456789\n\tkB";
    for (guint seed = 0; seed < 1000; seed++) {
        char text[64] = "";
        Measure measure = {0};
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        gint32 length = g_rand_int_range(rand, 0, sizeof(text) - 1);
        for (gint32 i = 0; i < length; i++)
            text[i] = letters[g_rand_int_range(rand, 0, sizeof(letters) - 1)];
        g_autofree char *exact = g_strdup(text);
        measure_memory(exact, &measure);
        g_assert_cmpuint(measure.memory % 1024, ==, 0);
    }
}

static void test_this_host(void)
{
    const Measure measure = measure_now("/proc", "/");
    g_assert_cmpuint(measure.memory, >, 0);
    g_assert_cmpuint(measure.memory_available, <=, measure.memory);
    g_assert_cmpuint(measure.disk, >, 0);
    g_assert_cmpuint(measure.disk_used, <=, measure.disk);
    const Measure nothing = measure_now("/nowhere", "/nowhere");
    g_assert_cmpuint(nothing.memory | nothing.disk | nothing.disk_used, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/measure/memory", test_memory);
    g_test_add_func("/berth-guest/measure/any-text", test_any_text);
    g_test_add_func("/berth-guest/measure/this-host", test_this_host);
    return g_test_run();
}
