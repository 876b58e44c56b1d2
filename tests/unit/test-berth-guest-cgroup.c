/* SPDX-License-Identifier: MIT */
#include "os/cgroup.h"

#include <glib.h>

static void test_lines(void)
{
    static const struct {
        const char *text, *path;
    } rows[] = {
        {"0::/\n", "/"},
        {"0::/user.slice/user-0.slice/session-c1.scope\n",
         "/user.slice/user-0.slice/session-c1.scope"},
        {"0::/no/newline", "/no/newline"},
        {"1:name=systemd:/\n0::/a.scope\n", "/a.scope"},
        {"2:net_cls:/0::/x\n1:name=x:/\n0::/b\n", "/b"},
        {"10::/x\n", NULL},
        {"1:name=systemd:/\n", NULL},
        {"", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        char path[64];
        g_assert_cmpint(cgroup_parse(rows[i].text, path, sizeof(path)), ==, rows[i].path != NULL);
        if (rows[i].path != NULL)
            g_assert_cmpstr(path, ==, rows[i].path);
    }
}

static void test_longer_than_the_buffer(void)
{
    char path[4];
    g_assert_true(cgroup_parse("0::/ab\n", path, sizeof(path)));
    g_assert_false(cgroup_parse("0::/abc\n", path, sizeof(path)));
}

static void test_no_such_process(void)
{
    char directory[64];
    g_assert_false(cgroup_directory(-1, directory, sizeof(directory)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/cgroup/lines", test_lines);
    g_test_add_func("/berth-guest/cgroup/longer-than-the-buffer", test_longer_than_the_buffer);
    g_test_add_func("/berth-guest/cgroup/no-such-process", test_no_such_process);
    return g_test_run();
}
