/* SPDX-License-Identifier: MIT */
#include "boot/interfaces.h"

#include "../lib/distro_tree.h"

#include <glib.h>
#include <string.h>

static void add(void *data, const char *file, unsigned line, const char *name)
{
    static const char directory[] = "/etc/network/";
    g_assert_true(g_str_has_prefix(file, directory));
    g_string_append_printf(data, "%s:%u:%s ", file + strlen(directory), line, name);
}

static void test_absent(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    distro_tree_put(tree, "etc/network/interfaces",
                    "# auto ens1\n# source /etc/network/more\n\nauto lo eth0\n"
                    "iface ens3 inet dhcp\nallow-hotplug ens3\nauto  ens4 br0\tenp0s31f6\n"
                    "allow-auto eth1\nauto wlp2s0\nauto dummy0 eno1\nauto ens-a-name-too-long\n"
                    "auto eth2",
                    0644);
    interfaces_each_absent(tree->fd, add, got);
    g_assert_cmpstr(got->str, ==,
                    "interfaces:7:ens4 interfaces:7:enp0s31f6 interfaces:8:eth1 "
                    "interfaces:9:wlp2s0 interfaces:10:eno1 interfaces:12:eth2 ");
}

/* The files of @files in @directory below etc/network, each with "auto" and an interface. */
static void put_each(DistroTree *tree, const char *directory, const char *const *files)
{
    for (guint i = 0; files[i] != NULL; i++) {
        g_autofree char *path = g_strconcat("etc/network/", directory, files[i], NULL);
        g_autofree char *text = g_strdup_printf("\nauto ens%u\n", i);
        distro_tree_put(tree, path, text, 0644);
    }
}

static void test_sourced(DistroTree *tree, gconstpointer data)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"source /etc/network/d/*", "d/b.cfg:2:ens0 d/c:2:ens1 d/d:2:ens2 "}, /* in order; no .a */
        {"source /etc/network/d/*.cfg\nauto eno1", "d/b.cfg:2:ens0 interfaces:2:eno1 "},
        {"source d/[cd]", "d/c:2:ens1 d/d:2:ens2 "}, /* relative to the file */
        {"source /etc/network/d/c d/d", "d/c:2:ens1 d/d:2:ens2 "},
        {"source-directory d", "d/c:2:ens1 d/d:2:ens2 "}, /* only plain names */
        {"source-directory /etc/network/d/", "d/c:2:ens1 d/d:2:ens2 "},
        {"source /etc/network/none/*\nsource gone\nsource-directory gone\nsource", ""},
        {"source /top\nsource-directory /\nsource /etc/network//d/c", "/d/c:2:ens1 "},
        {"source /etc/network/*.d/x", ""}, /* patterns of directories are not followed */
    };
    put_each(tree, "d/", (const char *[]){"b.cfg", "c", "d", ".a", NULL});
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) got = g_string_new(NULL);
        distro_tree_put(tree, "etc/network/interfaces", rows[i].text, 0644);
        interfaces_each_absent(tree->fd, add, got);
        g_assert_cmpstr(got->str, ==, rows[i].wanted);
    }
}

/* A file that sources itself is read a few times, and the rest is still read. */
static void test_loop(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    distro_tree_put(tree, "etc/network/interfaces", "source interfaces\nauto ens3\n", 0644);
    interfaces_each_absent(tree->fd, add, got);
    g_assert_true(g_str_has_suffix(got->str, "interfaces:2:ens3 "));
    g_assert_cmpuint(got->len, <, 20 * strlen("interfaces:2:ens3 "));
}

/* Files that each source all of their directory are as many for each level. */
static void test_files_that_multiply(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    for (guint i = 0; i < 40; i++) {
        g_autofree char *path = g_strdup_printf("etc/network/d/%u", i);
        distro_tree_put(tree, path, "source d/*\nauto ens3\n", 0644);
    }
    distro_tree_put(tree, "etc/network/interfaces", "auto ens4\nsource d/*\n", 0644);
    interfaces_each_absent(tree->fd, add, got);
    g_assert_true(g_str_has_prefix(got->str, "interfaces:1:ens4 "));
    g_assert_cmpuint(got->len, <, 300 * strlen("d/10:2:ens3 "));
}

static void test_no_file(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    interfaces_each_absent(tree->fd, add, got);
    g_assert_cmpstr(got->str, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/interfaces/" name, DistroTree, NULL, distro_tree_set_up, function,                \
               distro_tree_tear_down)
    TEST("absent", test_absent);
    TEST("sourced", test_sourced);
    TEST("loop", test_loop);
    TEST("files-that-multiply", test_files_that_multiply);
    TEST("no-file", test_no_file);
    return g_test_run();
}
