/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/distro.h"

#include <string.h>

static void test_names(void)
{
    g_autofree char *longest = g_strnfill(64, 'a');
    g_autofree char *too_long = g_strnfill(65, 'a');
    const char *const good[] = {"debian", "Debian-12", "a", "9front", "x.y_z", longest};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(berth_distro_check_name(good[i], NULL));

    const char *const bad[] = {"", "-x", ".x", "_x", "a b", "a/b", "a,b", "ä", "a\n", too_long};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_distro_check_name(bad[i], &error));
        g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
        g_assert_cmpstr(berth_error_id(error), ==, "name.invalid");
        g_assert_null(strchr(error->message, '\n'));
    }
}

static void test_reserved_names(void)
{
    static const char *const reserved[] = {"host",  "HOST",  "localhost", "LocalHost",
                                           "host-", "host_", "host."};
    static const char *const free_names[] = {"hosts", "my-host", "localhost2", "local-host",
                                             "host.x"};
    for (gsize i = 0; i < G_N_ELEMENTS(reserved); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_distro_check_name(reserved[i], &error));
        g_assert_cmpstr(berth_error_id(error), ==, "name.reserved");
    }
    for (gsize i = 0; i < G_N_ELEMENTS(free_names); i++)
        g_assert_true(berth_distro_check_name(free_names[i], NULL));
}

static void test_hostnames(void)
{
    static const char *const cases[][2] = {
        {"Debian", "debian"}, {"my_box.2", "my-box-2"}, {"a--", "a"}, {"x", "x"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *hostname = berth_distro_hostname(cases[i][0]);
        g_assert_cmpstr(hostname, ==, cases[i][1]);
    }
}

static void test_accounts(void)
{
    static const char *const cases[][2] = {
        {"alice", "alice"},
        {"Alice.Smith", "alice_smith"},
        {"a@b.c", "a_b_c"},
        {"1st", "_st"},
        {"", "user"},
        {"-x", "_x"},
        {"\xc3\xa4gypten", "__gypten"},
        {"abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz012345"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *account = berth_distro_account(cases[i][0]);
        g_assert_cmpstr(account, ==, cases[i][1]);
    }
}

static void test_ids_differ(void)
{
    g_autoptr(BerthDistro) one = berth_distro_new("x");
    g_autoptr(BerthDistro) two = berth_distro_new("x");
    g_assert_cmpuint(strlen(one->id), ==, BERTH_DISTRO_ID_LENGTH);
    g_assert_cmpstr(one->id, !=, two->id);

    g_autoptr(BerthDistro) copy = berth_distro_copy(one);
    g_assert_cmpstr(copy->id, ==, one->id);
}

static void test_address(void)
{
    g_autofree char *last = berth_distro_address(254);
    g_assert_cmpstr(last, ==, "127.0.254.1");
    g_assert_null(berth_distro_address(0));
}

static void test_throw_away_clones(void)
{
    g_autofree char *name = berth_distro_clone_name("Debian", "0123456789abcdef");
    g_assert_cmpstr(name, ==, "Debian-01234567");
    g_autofree char *full = g_strnfill(BERTH_DISTRO_NAME_LENGTH, 'x');
    g_autofree char *longest = berth_distro_clone_name(full, "0123456789abcdef");
    g_assert_true(berth_distro_check_name(longest, NULL));
    g_assert_true(g_str_has_suffix(longest, "x-01234567"));

    g_autoptr(BerthDistro) clone = berth_distro_new(name);
    g_assert_cmpstr(berth_distro_settings_name(clone), ==, name);
    clone->template = g_strdup("Debian");
    g_autoptr(BerthDistro) copy = berth_distro_copy(clone);
    g_assert_cmpstr(berth_distro_settings_name(copy), ==, "Debian");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/distro/reserved-names", test_reserved_names);
    g_test_add_func("/model/distro/names", test_names);
    g_test_add_func("/model/distro/hostnames", test_hostnames);
    g_test_add_func("/model/distro/accounts", test_accounts);
    g_test_add_func("/model/distro/ids-differ", test_ids_differ);
    g_test_add_func("/model/distro/address", test_address);
    g_test_add_func("/model/distro/throw-away-clones", test_throw_away_clones);
    return g_test_run();
}
