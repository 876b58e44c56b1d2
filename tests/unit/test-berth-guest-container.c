/* SPDX-License-Identifier: MIT */
#include "distro/container.h"

#include "../lib/distro_tree.h"

#include <glib.h>
#include <sys/stat.h>

static void assert_text(DistroTree *tree, const char *name, const char *wanted)
{
    g_autofree char *text = distro_tree_get(tree, name);
    g_assert_cmpstr(text, ==, wanted);
}

static void test_hidden(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, ".dockerenv", "docker", 0755);
    distro_tree_put(tree, ".dockerinit", "", 0644);
    for (int start = 0; start < 2; start++) {
        container_hide_marks(tree->fd);
        g_autofree char *names = distro_tree_list(tree, ".");
        g_assert_cmpstr(names, ==, ".dockerenv.berth .dockerinit.berth ");
        assert_text(tree, ".dockerenv.berth", "docker");
        g_assert_cmpuint(distro_tree_mode(tree, ".dockerenv.berth"), ==, S_IFREG | 0755);
    }
}

/* The existing file is kept, too. */
static void test_existing_files_are_not_replaced(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, ".dockerenv", "new", 0755);
    distro_tree_put(tree, ".dockerenv.berth", "old", 0600);
    container_hide_marks(tree->fd);
    assert_text(tree, ".dockerenv", "new");
    assert_text(tree, ".dockerenv.berth", "old");
}

static void test_only_files(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/target", "mine", 0644);
    distro_tree_link(tree, ".dockerenv", "etc/target");
    g_assert_cmpint(mkdirat(tree->fd, ".dockerinit", 0755), ==, 0);
    container_hide_marks(tree->fd);
    g_autofree char *names = distro_tree_list(tree, ".");
    g_assert_cmpstr(names, ==, ".dockerenv .dockerinit etc ");
    assert_text(tree, "etc/target", "mine");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/container/" name, DistroTree, NULL, distro_tree_set_up, function,                 \
               distro_tree_tear_down)
    TEST("hidden", test_hidden);
    TEST("existing-files-are-not-replaced", test_existing_files_are_not_replaced);
    TEST("only-files", test_only_files);
    return g_test_run();
}
