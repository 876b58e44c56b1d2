/* SPDX-License-Identifier: MIT */
#include "share/ledger.h"
#include "share/nodes.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OFFSET (G_GUINT64_CONSTANT(7) << 40)
#define FILES  200u

typedef struct {
    int fd;
    BerthLedger *ledger;
    BerthNodes *nodes;
} Fixture;

static const BerthNodeKey root_key = {1, 2, 3};

static BerthNodeKey key_of(guint number)
{
    return (BerthNodeKey){1, 100 + number, number};
}

static void ignore(const BerthNode *node, gpointer user_data)
{
}

/* As a server does; false: it begins with nothing. */
static bool begin(Fixture *fixture, const BerthNodeKey *root)
{
    g_autoptr(GError) error = NULL;
    fixture->ledger = berth_ledger_open(fixture->fd, &error);
    g_assert_no_error(error);
    bool taken_over = berth_ledger_take_over(fixture->ledger);
    if (!taken_over)
        berth_ledger_clear(fixture->ledger, OFFSET);
    fixture->nodes =
        berth_nodes_new(berth_ledger_offset(fixture->ledger), fixture->ledger, ignore, NULL);
    berth_nodes_add_share(fixture->nodes, "home/ann", 0, root);
    berth_nodes_settle(fixture->nodes);
    return taken_over;
}

static void end(Fixture *fixture)
{
    g_clear_pointer(&fixture->nodes, berth_nodes_free);
    g_clear_pointer(&fixture->ledger, berth_ledger_free);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->fd = memfd_create("ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    g_assert_false(begin(fixture, &root_key));
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    end(fixture);
    close(fixture->fd);
}

static guint64 top_of(const BerthNodes *nodes)
{
    guint64 home = berth_nodes_find(nodes, BERTH_NODE_ROOT, "home");
    return berth_nodes_find(nodes, home, "ann");
}

/* The share, the path and the lookups of each node: what a server needs of it. */
static char *describe(const BerthNodes *nodes)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) path = g_string_new(NULL);
    for (guint64 id = berth_nodes_begin(nodes); id < berth_nodes_end(nodes); id++) {
        const BerthNode *node = berth_nodes_get(nodes, id);
        if (node == NULL)
            continue;
        int share = berth_nodes_path(nodes, id, path);
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " %d %s %s %lu %lu %u\n", id, share,
                               share < 0 ? node->name : path->str, node->fixed ? "fixed" : "",
                               (gulong)node->key.inode, (gulong)node->lookups, node->type);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static guint64 any(Fixture *fixture, GRand *random)
{
    guint64 begin_id = berth_nodes_begin(fixture->nodes);
    guint64 end_id = berth_nodes_end(fixture->nodes);
    return begin_id + (guint64)g_rand_int_range(random, 0, (gint32)(end_id - begin_id));
}

static void change(Fixture *fixture, GRand *random)
{
    BerthNodes *nodes = fixture->nodes;
    g_autofree char *name = g_strnfill((gsize)g_rand_int_range(random, 1, 40), 'n');
    g_autofree char *other = g_strnfill((gsize)g_rand_int_range(random, 1, 40), 'n');
    BerthNodeKey key = key_of(g_rand_int_range(random, 0, FILES));
    guint64 id = any(fixture, random), second = any(fixture, random);
    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
    case 1:
        if (berth_nodes_get(nodes, id) != NULL)
            id = berth_nodes_look_up(nodes, id, name, &key);
        berth_nodes_set_type(nodes, id, S_IFREG);
        return;
    case 2:
        berth_nodes_look_up(nodes, top_of(nodes), name, &key);
        return;
    case 3:
        berth_nodes_rename(nodes, id, name, second, other, g_rand_boolean(random));
        return;
    case 4:
        berth_nodes_remove(nodes, id, name);
        return;
    default:
        berth_nodes_forget(nodes, id, (guint64)g_rand_int_range(random, 1, 4));
    }
}

static void test_the_next_server_has_the_same_nodes(Fixture *fixture, gconstpointer data)
{
    for (guint32 seed = 0; seed < 20; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        for (guint i = 0; i < 300; i++)
            change(fixture, random);
        g_autofree char *before = describe(fixture->nodes);
        end(fixture);
        g_assert_true(begin(fixture, &root_key));
        g_autofree char *after = describe(fixture->nodes);
        g_assert_cmpstr(after, ==, before);
    }
}

static void test_another_root_has_other_numbers(Fixture *fixture, gconstpointer data)
{
    const BerthNodeKey other = {1, 3, 3};
    guint64 top = top_of(fixture->nodes);
    g_autoptr(GString) path = g_string_new(NULL);
    BerthNodeKey key = key_of(0);
    guint64 file = berth_nodes_look_up(fixture->nodes, top, "file", &key);
    end(fixture);
    g_assert_true(begin(fixture, &root_key));
    g_assert_cmpuint(top_of(fixture->nodes), ==, top);
    g_assert_cmpint(berth_nodes_path(fixture->nodes, file, path), ==, 0);
    end(fixture);
    g_assert_true(begin(fixture, &other));
    g_assert_cmpuint(top_of(fixture->nodes), !=, top);
    g_assert_cmpint(berth_nodes_path(fixture->nodes, file, path), ==, -1);
    g_assert_cmpint(berth_nodes_path(fixture->nodes, top, path), ==, -1);
    berth_nodes_forget(fixture->nodes, file, 1);
    g_assert_null(berth_nodes_get(fixture->nodes, top));
}

/* A page at a time, of those that are in use. */
static void damage(const Fixture *fixture, GRand *random)
{
    off_t at = 0;
    guint8 page[4096];
    guint skip = (guint)g_rand_int_range(random, 0, 8);
    while (skip-- > 0 || at == 0) {
        off_t next = lseek(fixture->fd, at + (off_t)sizeof(page), SEEK_DATA);
        if (next < 0)
            break;
        at = next;
    }
    if (g_rand_int_range(random, 0, 4) == 0)
        at = 0;
    g_assert_cmpint(pread(fixture->fd, page, sizeof(page), at), ==, sizeof(page));
    for (int i = g_rand_int_range(random, 1, 20); i > 0; i--) {
        gsize where = (gsize)g_rand_int_range(random, 0, g_rand_boolean(random) ? 512 : 4096);
        page[where] = (guint8)g_rand_int_range(random, 0, g_rand_boolean(random) ? 4 : 256);
    }
    g_assert_cmpint(pwrite(fixture->fd, page, sizeof(page), at), ==, sizeof(page));
}

/* Whatever a server that was taken over by its guest leaves, the next one can use or refuses. */
static void test_a_damaged_ledger_does_no_harm(Fixture *fixture, gconstpointer data)
{
    guint taken_over = 0, refused = 0;
    for (guint32 seed = 0; seed < 300; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        for (guint i = 0; i < 30; i++)
            change(fixture, random);
        end(fixture);
        damage(fixture, random);
        if (begin(fixture, &root_key))
            taken_over++;
        else
            refused++;
        for (guint i = 0; i < 30; i++)
            change(fixture, random);
        g_free(describe(fixture->nodes));
    }
    g_assert_cmpuint(taken_over, >, 20);
    g_assert_cmpuint(refused, >, 20);
}

static void test_its_size_is_for_good(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(ftruncate(fixture->fd, 4096), <, 0);
}

/* ---- changes and locks ---- */

static void add_change(Fixture *fixture, guint64 number)
{
    const BerthLedgerChange change = {.unique = number, .begun = 5, .key = key_of(1), .size = 7};
    int place = berth_ledger_begin_change(fixture->ledger, &change);
    g_assert_cmpint(place, >=, 0);
    berth_ledger_end_change(fixture->ledger, place);
}

/* A slow change is there however many others are made meanwhile. */
static void test_a_change_that_has_not_ended_stays(Fixture *fixture, gconstpointer data)
{
    const BerthLedgerChange slow = {.unique = 1, .size = 7};
    BerthLedgerChange change;
    int places[BERTH_LEDGER_ACTIVE];
    for (guint i = 0; i < BERTH_LEDGER_ACTIVE; i++) {
        places[i] = berth_ledger_begin_change(fixture->ledger, &slow);
        g_assert_cmpint(places[i], ==, i);
    }
    g_assert_cmpint(berth_ledger_begin_change(fixture->ledger, &slow), <, 0);
    for (guint i = 1; i < BERTH_LEDGER_ACTIVE; i++)
        berth_ledger_end_change(fixture->ledger, places[i]);
    for (guint64 number = 2; number <= 2 * BERTH_LEDGER_CHANGES; number++)
        add_change(fixture, number);
    end(fixture);
    g_assert_true(begin(fixture, &root_key));
    berth_ledger_end_changes(fixture->ledger);
    g_assert_true(berth_ledger_change(fixture->ledger, BERTH_LEDGER_CHANGES - 1, &change));
    g_assert_true(change.unique == 1 && change.size == 7);
    for (guint at = 0; at < BERTH_LEDGER_CHANGES - 1; at++)
        g_assert_true(berth_ledger_change(fixture->ledger, at, &change) && change.unique > 1);
}

static void test_the_last_changes_are_there_in_order(Fixture *fixture, gconstpointer data)
{
    const guint64 added = 3 * BERTH_LEDGER_CHANGES / 2;
    BerthLedgerChange change;
    guint64 expected = added - BERTH_LEDGER_CHANGES;
    for (guint64 number = 1; number <= added; number++)
        add_change(fixture, number);
    end(fixture);
    g_assert_true(begin(fixture, &root_key));
    for (guint at = 0; at < BERTH_LEDGER_CHANGES; at++) {
        g_assert_true(berth_ledger_change(fixture->ledger, at, &change));
        g_assert_cmpuint(change.unique, ==, ++expected);
        g_assert_true(change.begun == 5 && change.size == 7 && change.key.inode == 101);
    }
}

static void test_names_that_are_none_are_no_rename(Fixture *fixture, gconstpointer data)
{
    BerthLedgerRename rename = {
        .unique = 1, .parent = 2, .new_parent = 3, .name = "a", .new_name = "b"};
    BerthLedgerRename found;
    const guint last = BERTH_LEDGER_RENAMES - 1;
    g_assert_false(berth_ledger_rename(fixture->ledger, last, &found));
    berth_ledger_add_rename(fixture->ledger, &rename);
    g_assert_true(berth_ledger_rename(fixture->ledger, last, &found));
    g_assert_cmpstr(found.new_name, ==, "b");
    strcpy(rename.name, "..");
    berth_ledger_add_rename(fixture->ledger, &rename);
    g_assert_false(berth_ledger_rename(fixture->ledger, last, &found));
    memset(rename.name, 'x', sizeof(rename.name));
    berth_ledger_add_rename(fixture->ledger, &rename);
    g_assert_false(berth_ledger_rename(fixture->ledger, last, &found));
}

static void test_locks_stay_until_they_are_removed(Fixture *fixture, gconstpointer data)
{
    const guint at = BERTH_LEDGER_LOCKS - 1;
    const BerthLedgerLock lock = {.node = 1, .owner = 2, .start = 0, .end = 9, .type = F_RDLCK};
    const BerthLedgerLock bad[] = {{1, 2, 9, 0, F_WRLCK}, {1, 2, -1, 0, F_WRLCK}, {1, 2, 0, 9, 7}};
    BerthLedgerLock found;
    berth_ledger_set_lock(fixture->ledger, at, &lock);
    end(fixture);
    g_assert_true(begin(fixture, &root_key));
    g_assert_true(berth_ledger_lock(fixture->ledger, at, &found));
    g_assert_true(found.owner == 2 && found.end == 9 && found.type == F_RDLCK);
    g_assert_false(berth_ledger_lock(fixture->ledger, 0, &found));
    berth_ledger_clear_lock(fixture->ledger, at);
    g_assert_false(berth_ledger_lock(fixture->ledger, at, &found));
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        berth_ledger_set_lock(fixture->ledger, at, &bad[i]);
        g_assert_false(berth_ledger_lock(fixture->ledger, at, &found));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/share/ledger/the-next-server-has-the-same-nodes", Fixture, NULL, set_up,
               test_the_next_server_has_the_same_nodes, tear_down);
    g_test_add("/share/ledger/another-root-has-other-numbers", Fixture, NULL, set_up,
               test_another_root_has_other_numbers, tear_down);
    g_test_add("/share/ledger/a-damaged-ledger-does-no-harm", Fixture, NULL, set_up,
               test_a_damaged_ledger_does_no_harm, tear_down);
    g_test_add("/share/ledger/its-size-is-for-good", Fixture, NULL, set_up,
               test_its_size_is_for_good, tear_down);
    g_test_add("/share/ledger/the-last-changes", Fixture, NULL, set_up,
               test_the_last_changes_are_there_in_order, tear_down);
    g_test_add("/share/ledger/a-change-that-has-not-ended", Fixture, NULL, set_up,
               test_a_change_that_has_not_ended_stays, tear_down);
    g_test_add("/share/ledger/names-that-are-none", Fixture, NULL, set_up,
               test_names_that_are_none_are_no_rename, tear_down);
    g_test_add("/share/ledger/locks", Fixture, NULL, set_up, test_locks_stay_until_they_are_removed,
               tear_down);
    return g_test_run();
}
