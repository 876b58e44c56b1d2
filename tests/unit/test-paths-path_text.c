/* SPDX-License-Identifier: MIT */
#include "paths/path_text.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check_clean(const char *base, const char *path, const char *expected)
{
    char *got = path_clean(base, path);
    g_assert_cmpstr(got, ==, expected);
    free(got);
}

static void test_clean(void)
{
    check_clean("/", "", "/");
    check_clean("/", ".", "/");
    check_clean("/", "..", "/");
    check_clean("/", "../../x", "/x");
    check_clean("/a/b", "c", "/a/b/c");
    check_clean("/a/b", "../c", "/a/c");
    check_clean("/a/b", "/c//d/./", "/c/d");
    check_clean("/a/b", "...", "/a/b/...");
    check_clean("/a", "x y\n\303\274/..", "/a");
}

static void check_resolved(const char *top, const char *path, const char *expected)
{
    g_autofree char *wanted = g_build_filename(top, expected, NULL);
    char *got = path_resolve(top, path);
    g_assert_cmpstr(got, ==, expected[0] == '/' ? expected : wanted);
    free(got);
}

static void link_to(const char *top, const char *target, const char *name)
{
    g_autofree char *path = g_build_filename(top, name, NULL);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

static void test_resolve(void)
{
    g_autofree char *made = g_dir_make_tmp("berth-path-XXXXXX", NULL);
    char *top = realpath(made, NULL);
    g_autofree char *deep = g_build_filename(top, "real/deep", NULL);
    g_assert_cmpint(g_mkdir_with_parents(deep, 0755), ==, 0);
    link_to(top, "real/deep", "link");
    link_to(top, "/usr", "out");
    link_to(top, "nowhere", "dangling");
    link_to(top, "loop", "loop");

    check_resolved(top, "real", "real");
    check_resolved(top, "link", "real/deep");
    check_resolved(top, "link/..", "real");
    check_resolved(top, "link/missing/x", "real/deep/missing/x");
    check_resolved(top, "missing/../x", "x");
    check_resolved(top, "dangling", "dangling");
    check_resolved(top, "loop/x", "loop/x");
    check_resolved(top, "out", "/usr");
    check_resolved(top, "out/no-such", "/usr/no-such");
    check_resolved(top, "/", "/");
    check_resolved(top, "/no-such//x/", "/no-such/x");

    static const char *const names[] = {"link", "out", "dangling", "loop", "real/deep", "real", ""};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(top, names[i], NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    free(top);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/paths/path_text/clean", test_clean);
    g_test_add_func("/paths/path_text/resolve", test_resolve);
    return g_test_run();
}
