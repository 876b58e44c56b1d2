/* SPDX-License-Identifier: MIT */
#include "disk/tree/tree.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

static BerthInode *add(BerthTree *tree, BerthEntryType type, const char *path, const char *target,
                       GError **error)
{
    BerthEntry entry = {.type = type, .path = (char *)path, .target = (char *)target};
    BerthInode *file = NULL;
    berth_tree_add(tree, &entry, &file, error);
    return file;
}

static BerthInode *find(const BerthTree *tree, const char *path)
{
    BerthInode *inode = tree->root;
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    for (gsize i = 0; names[i] != NULL && inode != NULL; i++)
        inode = berth_tree_child(inode, names[i]);
    return inode;
}

static void test_replaced_inodes_stay_for_the_writer(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    BerthInode *old = add(tree, BERTH_ENTRY_FILE, "f", NULL, NULL);
    BerthInode *new = add(tree, BERTH_ENTRY_FILE, "f", NULL, NULL);
    g_assert_true(old != new);
    g_assert_cmpuint(old->links, ==, 0);
    g_assert_cmpuint(new->links, ==, 1);
    g_assert_true(g_ptr_array_find(tree->inodes, old, NULL));
}

static void test_early_links_yield_to_later_entries(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    add(tree, BERTH_ENTRY_HARDLINK, "early", "late", NULL);
    add(tree, BERTH_ENTRY_HARDLINK, "d/early", "late", NULL);
    BerthInode *own = add(tree, BERTH_ENTRY_FILE, "early", NULL, NULL);
    add(tree, BERTH_ENTRY_SYMLINK, "d", "early", NULL); /* d was empty except for the link */
    BerthInode *late = add(tree, BERTH_ENTRY_FILE, "late", NULL, NULL);
    g_assert_true(berth_tree_finish(tree, NULL));
    g_assert_true(find(tree, "early") == own);
    g_assert_cmpuint(late->links, ==, 1);
    g_assert_true(S_ISLNK(find(tree, "d")->mode));
}

static void test_link_cycles_end(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    add(tree, BERTH_ENTRY_HARDLINK, "a", "b", NULL);
    add(tree, BERTH_ENTRY_HARDLINK, "b", "a", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_tree_finish(tree, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.link-missing");
}

static void test_link_to_itself_is_an_error(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    add(tree, BERTH_ENTRY_HARDLINK, "a", "a", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_tree_finish(tree, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.link-missing");
    g_assert_true(g_str_has_prefix(error->message, "a: "));
}

static void test_too_many_links(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    add(tree, BERTH_ENTRY_FILE, "f", NULL, NULL);
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < 64999; i++) {
        g_autofree char *path = g_strdup_printf("l%u", i);
        add(tree, BERTH_ENTRY_HARDLINK, path, "f", &error);
        g_assert_no_error(error);
    }
    add(tree, BERTH_ENTRY_HARDLINK, "one-more", "f", &error);
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.too-many-links");
}

static void test_data_of_links(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    BerthInode *file = add(tree, BERTH_ENTRY_FILE, "f", NULL, NULL);
    char path[] = "l";
    char name[] = "f";
    BerthEntry link = {.type = BERTH_ENTRY_HARDLINK, .path = path, .target = name, .size = 5};
    BerthInode *target = NULL;
    g_assert_true(berth_tree_add(tree, &link, &target, NULL));
    g_assert_true(target == file);
    g_assert_null(add(tree, BERTH_ENTRY_HARDLINK, "m", "f", NULL));
}

/* Sixty links give 2^60 paths: the walk counts its steps and fails. */
static void test_hostile_links_end_in_an_error(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    g_autoptr(GError) error = NULL;
    add(tree, BERTH_ENTRY_SYMLINK, "l0", ".", NULL);
    for (guint i = 1; i <= 60; i++) {
        g_autofree char *path = g_strdup_printf("l%u", i);
        g_autofree char *target = g_strdup_printf("l%u/l%u", i - 1, i - 1);
        add(tree, BERTH_ENTRY_SYMLINK, path, target, &error);
        g_assert_no_error(error);
    }
    add(tree, BERTH_ENTRY_FILE, "l60/x", NULL, &error);
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.link-loop");
}

/* Add @depth nested directories and a file in the last. */
static BerthInode *add_deep(BerthTree *tree, guint depth, GError **error)
{
    g_autoptr(GString) path = g_string_new(NULL);
    for (guint i = 0; i < depth; i++)
        g_string_append(path, "d/");
    g_string_append(path, "f");
    return add(tree, BERTH_ENTRY_FILE, path->str, NULL, error);
}

static void test_case_50_depth(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    g_autoptr(GError) error = NULL;
    g_assert_nonnull(add_deep(tree, 4095, &error));
    g_assert_cmpuint(tree->inodes->len, ==, 1 + 4095 + 1);
    g_assert_true(berth_tree_finish(tree, &error));
    add_deep(tree, 4096, &error);
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.too-deep");
}

/* --- layers --- */

static BerthTree *begin_lower(void)
{
    BerthTree *tree = berth_tree_new();
    g_assert_true(berth_tree_begin_layer(tree, NULL));
    return tree;
}

static void begin_upper(BerthTree *tree)
{
    g_autoptr(GError) error = NULL;
    berth_tree_begin_layer(tree, &error);
    g_assert_no_error(error);
}

static void whiteout(BerthTree *tree, const char *path)
{
    g_autoptr(GError) error = NULL;
    berth_tree_whiteout(tree, path, &error);
    g_assert_no_error(error);
}

static void opaque(BerthTree *tree, const char *path)
{
    g_autoptr(GError) error = NULL;
    berth_tree_opaque(tree, path, &error);
    g_assert_no_error(error);
}

static void test_case_49_whiteouts_remove_lower_names(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    BerthInode *file = add(tree, BERTH_ENTRY_FILE, "etc/file", NULL, NULL);
    BerthInode *deep = add(tree, BERTH_ENTRY_FILE, "var/a/b/c", NULL, NULL);
    add(tree, BERTH_ENTRY_SYMLINK, "alias", "/var/a", NULL);
    begin_upper(tree);
    whiteout(tree, "etc/file");
    whiteout(tree, "var");
    whiteout(tree, "never/was");
    whiteout(tree, "never");
    whiteout(tree, "etc/file/below");
    whiteout(tree, "alias/b"); /* dangling now */
    g_assert_null(find(tree, "etc/file"));
    g_assert_null(find(tree, "var"));
    g_assert_nonnull(find(tree, "etc"));
    g_assert_cmpuint(file->links, ==, 0);
    g_assert_cmpuint(deep->links, ==, 0);
}

static void test_case_49_whiteouts_keep_their_own_layer(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    add(tree, BERTH_ENTRY_FILE, "d/old", NULL, NULL);
    add(tree, BERTH_ENTRY_FILE, "d/sub/old", NULL, NULL);
    add(tree, BERTH_ENTRY_FILE, "f", NULL, NULL);
    begin_upper(tree);
    BerthInode *own = add(tree, BERTH_ENTRY_FILE, "d/sub/new", NULL, NULL);
    BerthInode *f = add(tree, BERTH_ENTRY_FILE, "f", NULL, NULL);
    whiteout(tree, "d");
    whiteout(tree, "f");
    g_assert_true(find(tree, "d/sub/new") == own);
    g_assert_null(find(tree, "d/sub/old"));
    g_assert_null(find(tree, "d/old"));
    g_assert_true(find(tree, "f") == f);

    begin_upper(tree); /* they are lower for the next layer */
    whiteout(tree, "d");
    whiteout(tree, "f");
    g_assert_null(berth_tree_first(tree->root));
}

static void test_case_49_opaque_in_any_order(void)
{
    for (guint first = 0; first < 2; first++) {
        g_autoptr(BerthTree) tree = begin_lower();
        add(tree, BERTH_ENTRY_FILE, "d/old", NULL, NULL);
        add(tree, BERTH_ENTRY_FILE, "d/both", NULL, NULL);
        add(tree, BERTH_ENTRY_FILE, "d/sub/old", NULL, NULL);
        begin_upper(tree);
        if (first == 1)
            opaque(tree, "d");
        BerthInode *both = add(tree, BERTH_ENTRY_FILE, "d/both", NULL, NULL);
        add(tree, BERTH_ENTRY_FILE, "d/sub/new", NULL, NULL);
        if (first == 0)
            opaque(tree, "d");
        g_assert_null(find(tree, "d/old"));
        g_assert_null(find(tree, "d/sub/old"));
        g_assert_true(find(tree, "d/both") == both);
        g_assert_nonnull(find(tree, "d/sub/new"));
    }
}

static void test_case_49_opaque_root(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    add(tree, BERTH_ENTRY_FILE, "a", NULL, NULL);
    begin_upper(tree);
    add(tree, BERTH_ENTRY_FILE, "b", NULL, NULL);
    opaque(tree, "");
    opaque(tree, "nowhere");
    opaque(tree, "b"); /* a file has no children */
    g_assert_null(find(tree, "a"));
    g_assert_nonnull(find(tree, "b"));
}

/* The upper file is reached through a link; its real parent directory must be kept. */
static void test_case_49_own_files_behind_links(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    add(tree, BERTH_ENTRY_FILE, "usr/bin/old", NULL, NULL);
    add(tree, BERTH_ENTRY_SYMLINK, "bin", "usr/bin", NULL);
    begin_upper(tree);
    add(tree, BERTH_ENTRY_FILE, "bin/new", NULL, NULL);
    whiteout(tree, "usr");
    g_assert_nonnull(find(tree, "usr/bin/new"));
    g_assert_null(find(tree, "usr/bin/old"));
}

static void test_case_49_links_across_layers(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    BerthInode *a = add(tree, BERTH_ENTRY_FILE, "a", NULL, NULL);
    add(tree, BERTH_ENTRY_FILE, "gone", NULL, NULL);
    begin_upper(tree);
    add(tree, BERTH_ENTRY_HARDLINK, "b", "a", NULL);
    whiteout(tree, "b"); /* belongs to this layer, though its file does not */
    whiteout(tree, "a");
    g_assert_true(find(tree, "b") == a);
    g_assert_null(find(tree, "a"));
    g_assert_cmpuint(a->links, ==, 1);

    whiteout(tree, "gone");
    add(tree, BERTH_ENTRY_HARDLINK, "to-gone", "gone", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_tree_begin_layer(tree, &error)); /* a later layer cannot restore it */
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.link-missing");
}

static void test_case_16_layers_replace_directories(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    BerthInode *below = add(tree, BERTH_ENTRY_FILE, "d/a/b", NULL, NULL);
    add(tree, BERTH_ENTRY_FILE, "e/inside", NULL, NULL);
    begin_upper(tree);
    BerthInode *file = add(tree, BERTH_ENTRY_FILE, "d", NULL, NULL);
    g_assert_true(find(tree, "d") == file);
    g_assert_cmpuint(below->links, ==, 0);
    add(tree, BERTH_ENTRY_HARDLINK, "e", "e/inside", NULL);
    g_assert_true(S_ISREG(find(tree, "e")->mode));
    g_assert_cmpuint(find(tree, "e")->links, ==, 1);
}

static void test_case_16_refused_without_layers(void)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    g_autoptr(GError) error = NULL;
    add(tree, BERTH_ENTRY_FILE, "d/a", NULL, NULL);
    add(tree, BERTH_ENTRY_FILE, "d", NULL, &error);
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.not-empty");
}

static void test_deep_whiteouts(void)
{
    g_autoptr(BerthTree) tree = begin_lower();
    g_autoptr(GString) path = g_string_new("d");
    for (guint i = 0; i < 4000; i++)
        g_string_append(path, "/d");
    add(tree, BERTH_ENTRY_FILE, path->str, NULL, NULL);
    begin_upper(tree);
    whiteout(tree, "d");
    g_assert_null(berth_tree_first(tree->root));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/tree/replaced-inodes-stay-for-the-writer",
                    test_replaced_inodes_stay_for_the_writer);
    g_test_add_func("/disk/tree/early-links-yield-to-later-entries",
                    test_early_links_yield_to_later_entries);
    g_test_add_func("/disk/tree/link-cycles-end", test_link_cycles_end);
    g_test_add_func("/disk/tree/link-to-itself-is-an-error", test_link_to_itself_is_an_error);
    g_test_add_func("/disk/tree/too-many-links", test_too_many_links);
    g_test_add_func("/disk/tree/data-of-links", test_data_of_links);
    g_test_add_func("/disk/tree/hostile-links-end-in-an-error", test_hostile_links_end_in_an_error);
    g_test_add_func("/disk/tree/case-50-depth", test_case_50_depth);
    g_test_add_func("/disk/tree/case-49-whiteouts-remove-lower-names",
                    test_case_49_whiteouts_remove_lower_names);
    g_test_add_func("/disk/tree/case-49-whiteouts-keep-their-own-layer",
                    test_case_49_whiteouts_keep_their_own_layer);
    g_test_add_func("/disk/tree/case-49-opaque-in-any-order", test_case_49_opaque_in_any_order);
    g_test_add_func("/disk/tree/case-49-opaque-root", test_case_49_opaque_root);
    g_test_add_func("/disk/tree/case-49-own-files-behind-links",
                    test_case_49_own_files_behind_links);
    g_test_add_func("/disk/tree/case-49-links-across-layers", test_case_49_links_across_layers);
    g_test_add_func("/disk/tree/case-16-layers-replace-directories",
                    test_case_16_layers_replace_directories);
    g_test_add_func("/disk/tree/case-16-refused-without-layers",
                    test_case_16_refused_without_layers);
    g_test_add_func("/disk/tree/deep-whiteouts", test_deep_whiteouts);
    return g_test_run();
}
