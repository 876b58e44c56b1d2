/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "instance/host/host_memory.h"

static void check(const char *text, guint64 wanted)
{
    g_autofree char *directory = g_dir_make_tmp("meminfo-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "meminfo", NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpuint(berth_host_memory_available(path), ==, wanted);
    files_remove(directory);
}

static void test_read(void)
{
    check("MemTotal:       8 kB\nMemFree:   1 kB\nMemAvailable:    3 kB\nBuffers: 7 kB\n", 3072);
    check("MemTotal: 8 kB\nMemAvailable: 0 kB\n", 0);
    check("MemTotal: 8 kB\nMemAvailable: 12", 12288);
    check("MemTotal: 8 kB\n", G_MAXUINT64);
    check("MemTotal: 8 kB\nMemAvailable:", G_MAXUINT64);
    check("MemTotal: 8 kB\nMemAvailable: x kB\n", G_MAXUINT64);
    check("", G_MAXUINT64);
    g_assert_cmpuint(berth_host_memory_available("/nonexistent/meminfo"), ==, G_MAXUINT64);
}

static void test_this_host(void)
{
    guint64 available = berth_host_memory_available(BERTH_MEMINFO);
    g_assert_cmpuint(available, >, 1 << 20);
    g_assert_cmpuint(available, <, G_MAXUINT64);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-memory/read", test_read);
    g_test_add_func("/host-memory/this-host", test_this_host);
    return g_test_run();
}
