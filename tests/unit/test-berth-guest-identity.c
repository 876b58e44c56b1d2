/* SPDX-License-Identifier: MIT */
#include "distro/identity.h"

#include "../lib/distro_tree.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN "# berth: written at every start; network.generateHosts=false stops that\n"
#define BLOCK                                                                                      \
    BEGIN "127.0.0.1 localhost\n127.0.1.1 box\n10.0.2.2 host.berth.internal\n"                     \
          "::1 localhost ip6-localhost ip6-loopback\n# berth: end\n"

static const Config config = {.hostname = "box", .gateway = "10.0.2.2", .zone = "Asia/Tokyo"};

static Settings defaults(void)
{
    Settings settings;
    settings_init(&settings);
    return settings;
}

static void test_hosts(DistroTree *tree, gconstpointer data)
{
    static const struct {
        const char *before; /* NULL: no file */
        const char *after;
    } rows[] = {
        {NULL, BLOCK},
        {"", BLOCK},
        {"1.2.3.4 mine\n", "1.2.3.4 mine\n" BLOCK},
        {"1.2.3.4 mine", "1.2.3.4 mine\n" BLOCK},
        {BLOCK, BLOCK},
        {"a\n" BLOCK "b", "a\n" BLOCK "b"},
        {"a\n" BEGIN "127.0.1.1 other\n# berth: end\nb\n", "a\n" BLOCK "b\n"},
        {"a\n" BEGIN "b\n", "a\n" BLOCK "b\n"},
    };
    const Settings settings = defaults();
    distro_tree_put(tree, "etc/hostname", "", 0644);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_build_filename(tree->path, "etc/hosts", NULL);
        unlink(path);
        if (rows[i].before != NULL)
            distro_tree_put(tree, "etc/hosts", rows[i].before, 0644);
        for (int start = 0; start < 2; start++) {
            g_assert_cmpint(identity_hosts(tree->fd, &config, &settings), ==, 0);
            distro_tree_assert_text(tree, "etc/hosts", rows[i].after);
        }
    }
    g_autofree char *names = distro_tree_list(tree, "etc");
    g_assert_cmpstr(names, ==, "hostname hosts ");
}

static void test_hosts_of_any_size(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) blocked = g_string_new(NULL);
    for (unsigned i = 0; blocked->len < 3 * 1024 * 1024; i++)
        g_string_append_printf(blocked, "0.0.0.0 ads%u.example.net\n", i);
    g_autofree char *before = g_strconcat(blocked->str, BLOCK, blocked->str, NULL);
    g_autofree char *wanted = g_strdup(before);
    memcpy(strstr(before, "box\n"), "xob\n", 4); /* an earlier name */
    distro_tree_put(tree, "etc/hosts", before, 0640);
    const Settings settings = defaults();
    g_assert_cmpint(identity_hosts(tree->fd, &config, &settings), ==, 0);
    g_autofree char *after = distro_tree_get(tree, "etc/hosts");
    g_assert_true(g_str_equal(after, wanted));
    g_assert_cmpuint(distro_tree_mode(tree, "etc/hosts"), ==, S_IFREG | 0640);
}

/* The host's names are in berth's block, and are removed with it. */
static void test_names_of_the_host(DistroTree *tree, gconstpointer data)
{
    Config named = config;
    const Settings settings = defaults();
    distro_tree_put(tree, "etc/hosts", "1.2.3.4 mine\n", 0644);
    strcpy(named.hosts, "192.168.1.5 nas nas.home\n10.0.0.3 last\n");
    g_assert_cmpint(identity_hosts(tree->fd, &named, &settings), ==, 0);
    g_autofree char *text = distro_tree_get(tree, "etc/hosts");
    g_assert_nonnull(
        strstr(text, "ip6-loopback\n192.168.1.5 nas nas.home\n10.0.0.3 last\n# berth: end\n"));
    g_assert_cmpint(identity_hosts(tree->fd, &config, &settings), ==, 0);
    distro_tree_assert_text(tree, "etc/hosts", "1.2.3.4 mine\n" BLOCK);
}

static void test_hosts_is_kept(DistroTree *tree, gconstpointer data)
{
    Settings settings = defaults();
    distro_tree_link(tree, "etc/hosts", "/run/hosts");
    g_assert_cmpint(identity_hosts(tree->fd, &config, &settings), ==, -ENOLINK);
    g_assert_true(S_ISLNK(distro_tree_mode(tree, "etc/hosts")));
    distro_tree_put(tree, "run/hosts", "mine\n", 0600);
    settings.generate_hosts = false;
    g_assert_cmpint(identity_hosts(tree->fd, &config, &settings), ==, 0);
    distro_tree_assert_text(tree, "run/hosts", "mine\n");
}

static void test_hostname(DistroTree *tree, gconstpointer data)
{
    const Settings settings = defaults();
    distro_tree_put(tree, "etc/hostname", "old\n", 0600);
    g_assert_cmpint(identity_hostname(tree->fd, &config, &settings), ==, 0);
    distro_tree_assert_text(tree, "etc/hostname", "box\n");
    g_assert_cmpuint(distro_tree_mode(tree, "etc/hostname"), ==, S_IFREG | 0600);
}

static void test_time_zone(DistroTree *tree, gconstpointer data)
{
    Settings settings = defaults();
    g_autofree char *path = g_build_filename(tree->path, "etc/localtime", NULL);
    distro_tree_put(tree, "etc/timezone", "Etc/UTC\n", 0644);
    g_assert_cmpint(identity_time_zone(tree->fd, &config, &settings), ==, 0);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/localtime"), ==, 0); /* no such zone */

    distro_tree_put(tree, "usr/share/zoneinfo/Asia/Tokyo", "", 0644);
    settings.follow_zone = false;
    g_assert_cmpint(identity_time_zone(tree->fd, &config, &settings), ==, 0);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/localtime"), ==, 0);
    settings.follow_zone = true;
    g_assert_cmpint(identity_time_zone(tree->fd, &config, &settings), ==, 0);
    g_autofree char *target = g_file_read_link(path, NULL);
    g_assert_cmpstr(target, ==, "/usr/share/zoneinfo/Asia/Tokyo");
    distro_tree_assert_text(tree, "etc/timezone", "Asia/Tokyo\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/identity/" name, DistroTree, NULL, distro_tree_set_up, function,                  \
               distro_tree_tear_down)
    TEST("hosts", test_hosts);
    TEST("hosts-size", test_hosts_of_any_size);
    TEST("hosts-of-host", test_names_of_the_host);
    TEST("hosts-is-kept", test_hosts_is_kept);
    TEST("hostname", test_hostname);
    TEST("time-zone", test_time_zone);
    return g_test_run();
}
