/* SPDX-License-Identifier: MIT */
#include "distro/resolver.h"

#include "../lib/distro_tree.h"

#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const Config config = {.nameserver = "10.0.2.3"};

static Settings defaults(void)
{
    Settings settings;
    settings_init(&settings);
    return settings;
}

static void test_file(DistroTree *tree, gconstpointer data)
{
    const Settings settings = defaults();
    distro_tree_link(tree, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
    g_assert_cmpint(resolver_prepare(tree->fd, &config, &settings), ==, 0);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/resolv.conf"), ==, S_IFREG | 0644);
    g_autofree char *text = distro_tree_get(tree, "etc/resolv.conf");
    g_assert_true(g_str_has_suffix(text, "\nnameserver 10.0.2.3\n"));
}

/* Programs that may take over resolv.conf find the server, even if installed later. */
static void test_program_files(DistroTree *tree, gconstpointer data)
{
    const Settings settings = defaults();
    distro_tree_put(tree, "etc/hostname", "", 0644);
    g_assert_cmpint(resolver_prepare(tree->fd, &config, &settings), ==, 0);
    distro_tree_assert_text(tree, "run/systemd/resolved.conf.d/10-berth.conf",
                            "[Resolve]\nDNS=10.0.2.3\n");
    distro_tree_assert_text(tree, "run/NetworkManager/conf.d/11-berth-dns.conf",
                            "[main]\nrc-manager=unmanaged\n");
    distro_tree_assert_text(tree, "run/resolvconf/interface/eth0.berth", "nameserver 10.0.2.3\n");
    distro_tree_assert_text(tree, "run/resolvconf/interfaces/eth0", "nameserver 10.0.2.3\n");
}

static void test_search(DistroTree *tree, gconstpointer data)
{
    const Settings settings = defaults();
    const Config named = {.nameserver = "10.0.2.3", .search = "a.example b.example"};
    distro_tree_put(tree, "etc/hostname", "", 0644);
    g_assert_cmpint(resolver_prepare(tree->fd, &named, &settings), ==, 0);
    g_autofree char *text = distro_tree_get(tree, "etc/resolv.conf");
    g_assert_true(g_str_has_suffix(text, "\nnameserver 10.0.2.3\nsearch a.example b.example\n"));
    distro_tree_assert_text(tree, "run/systemd/resolved.conf.d/10-berth.conf",
                            "[Resolve]\nDNS=10.0.2.3\nDomains=a.example b.example\n");
    distro_tree_assert_text(tree, "run/resolvconf/interface/eth0.berth",
                            "nameserver 10.0.2.3\nsearch a.example b.example\n");
}

/* While the distro runs, its own resolv.conf is kept. */
static void test_update(DistroTree *tree, gconstpointer data)
{
    Settings settings = defaults();
    const Config named = {.nameserver = "10.0.2.3", .search = "a.example"};
    distro_tree_put(tree, "etc/hostname", "", 0644);
    g_assert_cmpint(resolver_prepare(tree->fd, &config, &settings), ==, 0);
    g_assert_cmpint(resolver_update(tree->fd, &named, &settings), ==, 0);
    g_autofree char *text = distro_tree_get(tree, "etc/resolv.conf");
    g_assert_true(g_str_has_suffix(text, "\nnameserver 10.0.2.3\nsearch a.example\n"));

    distro_tree_put(tree, "run/stub", text, 0644);
    g_autofree char *path = g_build_filename(tree->path, "etc/resolv.conf", NULL);
    g_assert_cmpint(unlink(path), ==, 0);
    distro_tree_link(tree, "etc/resolv.conf", "../run/stub");
    g_assert_cmpint(resolver_update(tree->fd, &config, &settings), ==, 0);
    g_assert_true(S_ISLNK(distro_tree_mode(tree, "etc/resolv.conf")));
    distro_tree_assert_text(tree, "run/systemd/resolved.conf.d/10-berth.conf",
                            "[Resolve]\nDNS=10.0.2.3\n");

    settings.generate_resolv_conf = false;
    g_assert_cmpint(resolver_update(tree->fd, &named, &settings), ==, 0);
    distro_tree_assert_text(tree, "run/systemd/resolved.conf.d/10-berth.conf",
                            "[Resolve]\nDNS=10.0.2.3\n");
}

static void test_switched_off(DistroTree *tree, gconstpointer data)
{
    Settings settings = defaults();
    distro_tree_put(tree, "etc/hostname", "", 0644);
    g_assert_cmpint(resolver_prepare(tree->fd, &config, &settings), ==, 0);
    settings.generate_resolv_conf = false; /* ours is removed, the distro's is kept */
    g_assert_cmpint(resolver_prepare(tree->fd, &config, &settings), ==, 0);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/resolv.conf"), ==, 0);
    distro_tree_put(tree, "etc/resolv.conf", "nameserver 1.1.1.1\n", 0644);
    g_assert_cmpint(resolver_prepare(tree->fd, &config, &settings), ==, 0);
    distro_tree_assert_text(tree, "etc/resolv.conf", "nameserver 1.1.1.1\n");
}

/* Without a network there is no server: the distro's files are kept, and none is written. */
static void test_no_server(DistroTree *tree, gconstpointer data)
{
    const Settings settings = defaults();
    const Config none = {.hostname = "box"};
    distro_tree_put(tree, "etc/resolv.conf", "nameserver 1.1.1.1\n", 0644);
    g_assert_cmpint(resolver_prepare(tree->fd, &none, &settings), ==, 0);
    distro_tree_assert_text(tree, "etc/resolv.conf", "nameserver 1.1.1.1\n");
    g_assert_cmpuint(distro_tree_mode(tree, "run"), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/resolver/" name, DistroTree, NULL, distro_tree_set_up, function,                  \
               distro_tree_tear_down)
    TEST("file", test_file);
    TEST("program-files", test_program_files);
    TEST("search", test_search);
    TEST("update", test_update);
    TEST("switched-off", test_switched_off);
    TEST("no-server", test_no_server);
    return g_test_run();
}
