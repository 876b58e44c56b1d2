/* SPDX-License-Identifier: MIT */
#include "distro/edit.h"

#include "../lib/distro_tree.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Expect no temporary file. */
static void assert_names(DistroTree *tree, const char *wanted)
{
    g_autofree char *names = distro_tree_list(tree, "etc");
    g_assert_cmpstr(names, ==, wanted);
}

static void test_splice(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/f", "one two three", 0640);
    g_assert_cmpint(edit_splice(tree->fd, "etc/f", (EditRange){4, 7}, "2"), ==, 0);
    distro_tree_assert_text(tree, "etc/f", "one 2 three");
    g_assert_cmpint(edit_splice(tree->fd, "etc/f", (EditRange){0, 4}, ""), ==, 0);
    distro_tree_assert_text(tree, "etc/f", "2 three");
    g_assert_cmpint(edit_splice(tree->fd, "etc/f", (EditRange){7, 7}, "!"), ==, 0);
    distro_tree_assert_text(tree, "etc/f", "2 three!");
    g_assert_cmpuint(distro_tree_mode(tree, "etc/f"), ==, S_IFREG | 0640);
    assert_names(tree, "f ");
}

/* Neither size nor content is limited: a binary file of 5 MB. */
static void test_size_and_content(DistroTree *tree, gconstpointer data)
{
    const size_t size = 5 * 1024 * 1024 + 7;
    g_autofree char *path = g_build_filename(tree->path, "etc/f", NULL);
    g_autofree char *before = g_malloc(size);
    g_autofree char *after = NULL;
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        before[i] = (char)(i * 7 % 256);
    distro_tree_put(tree, "etc/f", "", 0644);
    g_assert_true(g_file_set_contents(path, before, (gssize)size, NULL));
    g_assert_cmpint(edit_append(tree->fd, "etc/f", "last\n"), ==, 0);
    g_assert_true(g_file_get_contents(path, &after, &length, NULL));
    g_assert_cmpuint(length, ==, size + strlen("\nlast\n"));
    g_assert_cmpmem(after, size, before, size);
    g_assert_cmpstr(after + size, ==, "\nlast\n");
}

static void test_append(DistroTree *tree, gconstpointer data)
{
    static const char *const wanted[] = {"a\n", "a\na\n"};
    distro_tree_put(tree, "etc/f", "", 0600);
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_assert_cmpint(edit_append(tree->fd, "etc/f", "a\n"), ==, 0);
        distro_tree_assert_text(tree, "etc/f", wanted[i]);
    }
    distro_tree_put(tree, "etc/f", "no end", 0600);
    g_assert_cmpint(edit_append(tree->fd, "etc/f", "a\n"), ==, 0);
    distro_tree_assert_text(tree, "etc/f", "no end\na\n");
}

static void test_set(DistroTree *tree, gconstpointer data)
{
    struct stat before;
    struct stat after;
    g_autofree char *path = g_build_filename(tree->path, "etc/f", NULL);
    distro_tree_put(tree, "etc/other", "", 0644);
    g_assert_cmpint(edit_set(tree->fd, "etc/f", "one\n"), ==, 0);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/f"), ==, S_IFREG | 0644);
    distro_tree_assert_text(tree, "etc/f", "one\n");

    g_assert_cmpint(stat(path, &before), ==, 0);
    g_assert_cmpint(edit_set(tree->fd, "etc/f", "one\n"), ==, 0);
    g_assert_cmpint(stat(path, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino); /* not written */

    distro_tree_put(tree, "etc/f", "one\n and more", 0600);
    g_assert_cmpint(edit_set(tree->fd, "etc/f", "one\n"), ==, 0);
    distro_tree_assert_text(tree, "etc/f", "one\n");
    g_assert_cmpuint(distro_tree_mode(tree, "etc/f"), ==, S_IFREG | 0600);
    assert_names(tree, "f other ");
}

/* Links are resolved inside the distro: absolute ones, too. */
static void test_links(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/site/hosts", "x\n", 0600);
    distro_tree_link(tree, "etc/relative", "site/hosts");
    distro_tree_link(tree, "etc/absolute", "/etc/relative");
    distro_tree_link(tree, "etc/upward", "../../../../etc/site/hosts");
    static const char *const names[] = {"etc/relative", "etc/absolute", "etc/upward"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_cmpint(edit_append(tree->fd, names[i], "y\n"), ==, 0);
        g_assert_true(S_ISLNK(distro_tree_mode(tree, names[i])));
    }
    distro_tree_assert_text(tree, "etc/site/hosts", "x\ny\ny\ny\n");
    g_assert_cmpuint(distro_tree_mode(tree, "etc/site/hosts"), ==, S_IFREG | 0600);
    assert_names(tree, "absolute relative site upward ");
}

static void test_unchanged_files(DistroTree *tree, gconstpointer data)
{
    distro_tree_link(tree, "etc/nowhere", "/run/later");
    distro_tree_link(tree, "etc/circle", "circle");
    distro_tree_put(tree, "store/f", "kept\n", 0444);
    distro_tree_link(tree, "etc/store", "/store/f");
    distro_tree_link(tree, "etc/directory", "/store");
    static const struct {
        const char *name;
        int error;
    } rows[] = {{"etc/nowhere", ENOLINK},
                {"etc/circle", ELOOP},
                {"etc/store", ENOLINK},
                {"etc/directory", EINVAL}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpint(edit_set(tree->fd, rows[i].name, "new\n"), ==, -rows[i].error);
        g_assert_true(S_ISLNK(distro_tree_mode(tree, rows[i].name)));
    }
    g_assert_cmpint(edit_append(tree->fd, "etc/none", "new\n"), ==, -ENOENT);
    distro_tree_assert_text(tree, "store/f", "kept\n");
    assert_names(tree, "circle directory nowhere store ");
}

static void test_attributes_stay(DistroTree *tree, gconstpointer data)
{
    char value[16] = "";
    g_autofree char *path = g_build_filename(tree->path, "etc/f", NULL);
    distro_tree_put(tree, "etc/f", "one\n", 0640);
    if (setxattr(path, "user.label", "mine", 4, 0) < 0) {
        g_test_skip("this file system has no extended attributes");
        return;
    }
    g_assert_cmpint(edit_append(tree->fd, "etc/f", "two\n"), ==, 0);
    g_assert_cmpint(getxattr(path, "user.label", value, sizeof(value)), ==, 4);
    g_assert_cmpstr(value, ==, "mine");
    distro_tree_assert_text(tree, "etc/f", "one\ntwo\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/edit/" name, DistroTree, NULL, distro_tree_set_up, function, distro_tree_tear_down)
    TEST("splice", test_splice);
    TEST("size-and-content", test_size_and_content);
    TEST("append", test_append);
    TEST("set", test_set);
    TEST("links", test_links);
    TEST("left-alone", test_unchanged_files);
    TEST("attributes", test_attributes_stay);
    return g_test_run();
}
