/* SPDX-License-Identifier: MIT */
#include "boot/interfaces.h"

#include "../lib/distro_tree.h"

#include <glib.h>

static void add(void *data, unsigned line, const char *name)
{
    g_string_append_printf(data, "%u:%s ", line, name);
}

static void test_absent(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    distro_tree_put(tree, "etc/network/interfaces",
                    "# auto ens1\nsource /etc/network/interfaces.d/*\n\nauto lo eth0\n"
                    "iface ens3 inet dhcp\nallow-hotplug ens3\nauto  ens4 br0\tenp0s31f6\n"
                    "allow-auto eth1\nauto wlp2s0\nauto dummy0 eno1\nauto ens-a-name-too-long\n"
                    "auto eth2",
                    0644);
    interfaces_each_absent(tree->fd, add, got);
    g_assert_cmpstr(got->str, ==, "7:ens4 7:enp0s31f6 8:eth1 9:wlp2s0 10:eno1 12:eth2 ");
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
    TEST("no-file", test_no_file);
    return g_test_run();
}
