/* SPDX-License-Identifier: MIT */
#include "paths/path_map.h"

#include <glib.h>
#include <stdlib.h>

static const PathPair pairs[] = {
    {{"/home/ann", "/mnt/host/home/ann"}}, {{"/home/ann/big", "/mnt/host/data"}},
    {{"/home/ann", "/mnt/host/second"}},   {{"/srv", "/mnt/host/srv"}},
    {{"/var/srv", "/mnt/host/srv"}},
};

static const PathPair everything[] = {{{"/", "/mnt/host"}}, {{"/boot", "/"}}};

static void check(const PathPair *of, gsize count, PathSide from, const char *path,
                  const char *expected)
{
    char *got = path_map(of, count, from, path);
    g_assert_cmpstr(got, ==, expected);
    free(got);
}

static void test_to_guest(void)
{
    static const char *const rows[][2] = {
        {"/home/ann", "/mnt/host/home/ann"},
        {"/home/ann/src/x", "/mnt/host/home/ann/src/x"},
        {"/home/ann/a b\n\303\274", "/mnt/host/home/ann/a b\n\303\274"},
        {"/home/ann/big", "/mnt/host/data"},
        {"/home/ann/big/x", "/mnt/host/data/x"},
        {"/home/ann/bigger", "/mnt/host/home/ann/bigger"},
        {"/home/anna", NULL},
        {"/home", NULL},
        {"/", NULL},
        {"/var/srv/x", "/mnt/host/srv/x"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        check(pairs, G_N_ELEMENTS(pairs), PATH_ON_HOST, rows[i][0], rows[i][1]);
}

static void test_to_host(void)
{
    static const char *const rows[][2] = {
        {"/mnt/host/home/ann", "/home/ann"},
        {"/mnt/host/second/x", "/home/ann/x"},
        {"/mnt/host/data/x", "/home/ann/big/x"},
        {"/mnt/host/srv", "/srv"},
        {"/mnt/host", NULL},
        {"/mnt/host/home", NULL},
        {"/home/ann", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        check(pairs, G_N_ELEMENTS(pairs), PATH_IN_GUEST, rows[i][0], rows[i][1]);
}

static void test_roots(void)
{
    check(everything, 2, PATH_ON_HOST, "/", "/mnt/host");
    check(everything, 2, PATH_ON_HOST, "/etc", "/mnt/host/etc");
    check(everything, 2, PATH_ON_HOST, "/boot", "/");
    check(everything, 2, PATH_ON_HOST, "/boot/x", "/x");
    check(everything, 2, PATH_IN_GUEST, "/mnt/host", "/");
    check(everything, 2, PATH_IN_GUEST, "/mnt/host/etc", "/etc");
    check(everything, 2, PATH_IN_GUEST, "/", "/boot");
    check(NULL, 0, PATH_ON_HOST, "/etc", NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/paths/path_map/to-guest", test_to_guest);
    g_test_add_func("/paths/path_map/to-host", test_to_host);
    g_test_add_func("/paths/path_map/roots", test_roots);
    return g_test_run();
}
