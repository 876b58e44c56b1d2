/* SPDX-License-Identifier: MIT */
#include "share/nodes.h"

#include <glib.h>

#define OFFSET (G_GUINT64_CONSTANT(7) << 40)

static const BerthNodeKey keys[] = {{1, 10, 0}, {1, 11, 0}, {1, 12, 7}, {2, 10, 0}, {1, 12, 8}};

typedef struct {
    BerthNodes *nodes;
    guint64 top; /* the root of share 0, at /home/ann */
    guint forgotten;
} Fixture;

static void on_forgotten(const BerthNode *node, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_assert_false(node->fixed);
    fixture->forgotten++;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->nodes = berth_nodes_new(OFFSET, NULL, on_forgotten, fixture);
    fixture->top = berth_nodes_add_share(fixture->nodes, "home/ann", 0, &keys[0]);
    g_assert_cmpuint(fixture->top, !=, BERTH_NODE_NONE);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_nodes_free(fixture->nodes);
}

static guint64 look_up(Fixture *fixture, guint64 parent, const char *name, guint key)
{
    return berth_nodes_look_up(fixture->nodes, parent, name, &keys[key]);
}

static void assert_path(Fixture *fixture, guint64 id, int root, const char *expected)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_assert_cmpint(berth_nodes_path(fixture->nodes, id, path), ==, root);
    if (root >= 0)
        g_assert_cmpstr(path->str, ==, expected);
}

static void test_paths(Fixture *fixture, gconstpointer data)
{
    guint64 directory = look_up(fixture, fixture->top, "src", 0);
    guint64 file = look_up(fixture, directory, "main.c", 1);
    assert_path(fixture, fixture->top, 0, ".");
    assert_path(fixture, directory, 0, "src");
    assert_path(fixture, file, 0, "src/main.c");
    assert_path(fixture, BERTH_NODE_ROOT, -1, NULL);
    assert_path(fixture, 0, -1, NULL);
    assert_path(fixture, 12345, -1, NULL);
    assert_path(fixture, G_MAXUINT64, -1, NULL);
}

static void test_one_file_is_one_node(Fixture *fixture, gconstpointer data)
{
    guint64 file = look_up(fixture, fixture->top, "a", 0);
    g_assert_cmpuint(look_up(fixture, fixture->top, "b", 0), ==, file);
    assert_path(fixture, file, 0, "b");                                 /* where it was seen last */
    g_assert_cmpuint(look_up(fixture, fixture->top, "c", 3), !=, file); /* another device */
    guint64 older = look_up(fixture, fixture->top, "d", 2);
    g_assert_cmpuint(look_up(fixture, fixture->top, "d", 4), !=, older); /* the number was reused */
    assert_path(fixture, older, -1, NULL);
}

static void test_forgetting_frees_what_nothing_holds(Fixture *fixture, gconstpointer data)
{
    guint before = berth_nodes_count(fixture->nodes);
    guint64 directory = look_up(fixture, fixture->top, "src", 0);
    guint64 file = look_up(fixture, directory, "main.c", 1);
    look_up(fixture, directory, "main.c", 1);
    berth_nodes_forget(fixture->nodes, directory, 1);
    assert_path(fixture, file, 0, "src/main.c"); /* its child holds it */
    berth_nodes_forget(fixture->nodes, file, 1);
    g_assert_cmpuint(fixture->forgotten, ==, 0);
    berth_nodes_forget(fixture->nodes, file, 1);
    g_assert_cmpuint(fixture->forgotten, ==, 2);
    g_assert_cmpuint(berth_nodes_count(fixture->nodes), ==, before);
    berth_nodes_forget(fixture->nodes, file, 99);
    berth_nodes_forget(fixture->nodes, BERTH_NODE_ROOT, G_MAXUINT64);
    berth_nodes_forget(fixture->nodes, fixture->top, G_MAXUINT64);
    g_assert_cmpuint(berth_nodes_count(fixture->nodes), ==, before);
}

static void test_a_rename_moves_what_is_below(Fixture *fixture, gconstpointer data)
{
    guint64 directory = look_up(fixture, fixture->top, "src", 0);
    guint64 file = look_up(fixture, directory, "main.c", 1);
    guint64 other = look_up(fixture, fixture->top, "new", 2);
    berth_nodes_rename(fixture->nodes, fixture->top, "src", fixture->top, "new", false);
    assert_path(fixture, file, 0, "new/main.c");
    assert_path(fixture, other, -1, NULL);
    g_assert_cmpuint(berth_nodes_find(fixture->nodes, fixture->top, "src"), ==, BERTH_NODE_NONE);
}

static void test_an_exchange_moves_both(Fixture *fixture, gconstpointer data)
{
    guint64 one = look_up(fixture, fixture->top, "one", 0);
    guint64 two = look_up(fixture, fixture->top, "two", 1);
    berth_nodes_rename(fixture->nodes, fixture->top, "one", fixture->top, "two", true);
    assert_path(fixture, one, 0, "two");
    assert_path(fixture, two, 0, "one");
}

static void test_no_directory_is_below_itself(Fixture *fixture, gconstpointer data)
{
    guint64 directory = look_up(fixture, fixture->top, "a", 0);
    guint64 below = look_up(fixture, directory, "b", 1);
    berth_nodes_rename(fixture->nodes, fixture->top, "a", below, "c", false);
    g_assert_cmpuint(look_up(fixture, below, "a", 0), ==, directory); /* what a host may claim */
    assert_path(fixture, below, 0, "a/b");
}

static void test_a_removed_file_has_no_place(Fixture *fixture, gconstpointer data)
{
    guint64 file = look_up(fixture, fixture->top, "a", 0);
    berth_nodes_remove(fixture->nodes, fixture->top, "a");
    assert_path(fixture, file, -1, NULL);
    g_assert_nonnull(berth_nodes_get(fixture->nodes, file)); /* the guest may have it open */
    berth_nodes_forget(fixture->nodes, file, 1);
    g_assert_null(berth_nodes_get(fixture->nodes, file));
}

static void test_a_forgotten_file_still_had_names(Fixture *fixture, gconstpointer data)
{
    guint64 id = look_up(fixture, BERTH_NODE_ROOT, "a", 0);
    g_assert_false(berth_nodes_get(fixture->nodes, id)->had_names);
    g_assert_cmpuint(look_up(fixture, BERTH_NODE_ROOT, "b", 0), ==, id);
    berth_nodes_forget(fixture->nodes, id, 2);
    g_assert_null(berth_nodes_get(fixture->nodes, id));
    id = look_up(fixture, BERTH_NODE_ROOT, "c", 1);
    g_assert_false(berth_nodes_get(fixture->nodes, id)->had_names);
    id = look_up(fixture, BERTH_NODE_ROOT, "b", 0);
    g_assert_true(berth_nodes_get(fixture->nodes, id)->had_names);
}

static void test_shares_do_not_overlap(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpuint(berth_nodes_add_share(fixture->nodes, "/home/ann", 1, &keys[1]), ==,
                     BERTH_NODE_NONE);
    g_assert_cmpuint(berth_nodes_add_share(fixture->nodes, "home/ann/src", 1, &keys[1]), ==,
                     BERTH_NODE_NONE);
    g_assert_cmpuint(berth_nodes_add_share(fixture->nodes, "home", 1, &keys[1]), ==,
                     BERTH_NODE_NONE);
    guint64 other = berth_nodes_add_share(fixture->nodes, "/home/anna/", 1, &keys[1]);
    assert_path(fixture, other, 1, ".");
    berth_nodes_remove(fixture->nodes, BERTH_NODE_ROOT, "home"); /* they stay */
    guint64 home = berth_nodes_find(fixture->nodes, BERTH_NODE_ROOT, "home");
    g_assert_cmpuint(berth_nodes_find(fixture->nodes, home, "ann"), ==, fixture->top);
}

/* Lookups, renames, removals and forgets of chance: every node's path leads back to it. */
static void test_chance(Fixture *fixture, gconstpointer data)
{
    GRand *random = g_rand_new_with_seed(GPOINTER_TO_UINT(data));
    for (guint step = 0; step < 5000; step++) {
        guint64 end = berth_nodes_end(fixture->nodes);
        guint64 id = (guint64)g_rand_int_range(random, 0, (gint32)end + 1);
        guint64 other = (guint64)g_rand_int_range(random, 0, (gint32)end + 1);
        const BerthNode *node = berth_nodes_get(fixture->nodes, id);
        const BerthNode *target = berth_nodes_get(fixture->nodes, other);
        char name[2] = {(char)g_rand_int_range(random, 'a', 'f'), '\0'};
        char new_name[2] = {(char)g_rand_int_range(random, 'a', 'f'), '\0'};
        BerthNodeKey key = {1, (ino_t)g_rand_int_range(random, 0, 40), 0};
        switch (g_rand_int_range(random, 0, 4)) {
        case 0:
            if (node != NULL)
                berth_nodes_look_up(fixture->nodes, id, name, &key);
            break;
        case 1:
            berth_nodes_forget(fixture->nodes, id, (guint64)g_rand_int_range(random, 1, 4));
            break;
        case 2:
            berth_nodes_remove(fixture->nodes, id, name);
            break;
        default:
            if (node != NULL && target != NULL)
                berth_nodes_rename(fixture->nodes, id, name, other, new_name,
                                   g_rand_boolean(random));
        }
    }
    for (guint64 id = berth_nodes_begin(fixture->nodes); id < berth_nodes_end(fixture->nodes);
         id++) {
        const BerthNode *node = berth_nodes_get(fixture->nodes, id);
        if (node != NULL && node->parent != BERTH_NODE_NONE)
            g_assert_cmpuint(berth_nodes_find(fixture->nodes, node->parent, node->name), ==, id);
        if (node != NULL && !node->fixed)
            g_assert_cmpuint(berth_nodes_find_key(fixture->nodes, &node->key), ==, id);
    }
    g_rand_free(random);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    static const struct {
        const char *name;
        void (*function)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"paths", test_paths},
        {"one-file-is-one-node", test_one_file_is_one_node},
        {"forgetting", test_forgetting_frees_what_nothing_holds},
        {"rename", test_a_rename_moves_what_is_below},
        {"exchange", test_an_exchange_moves_both},
        {"no-loop", test_no_directory_is_below_itself},
        {"removed", test_a_removed_file_has_no_place},
        {"forgotten-names", test_a_forgotten_file_still_had_names},
        {"no-overlap", test_shares_do_not_overlap},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/share/nodes/", tests[i].name, NULL);
        g_test_add(path, Fixture, NULL, set_up, tests[i].function, tear_down);
    }
    for (guint seed = 0; seed < 20; seed++) {
        g_autofree char *path = g_strdup_printf("/share/nodes/chance/%u", seed);
        g_test_add(path, Fixture, GUINT_TO_POINTER(seed), set_up, test_chance, tear_down);
    }
    return g_test_run();
}
