/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "../lib/registry_place.h"

#include <sqlite3.h>
#include <unistd.h>

static void execute(const Place *place, const char *sql)
{
    sqlite3 *db = NULL;
    g_assert_cmpint(sqlite3_open(place->path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
}

static void add_snapshot(BerthRegistry *registry, const BerthDistro *distro, const char *tag,
                         gint64 usec, bool automatic)
{
    g_autoptr(BerthSnapshot) snapshot = berth_snapshot_new(distro, tag, usec);
    snapshot->automatic = automatic;
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_registry_add_snapshot(registry, snapshot, &error));
    g_assert_no_error(error);
}

/* @expected: "TAG;" for each, "!" behind an automatic one's. */
static void assert_snapshots(BerthRegistry *registry, const BerthDistro *distro,
                             const char *expected)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < snapshots->len; i++) {
        const BerthSnapshot *snapshot = snapshots->pdata[i];
        g_string_append_printf(text, "%s%s;", snapshot->tag, snapshot->automatic ? "!" : "");
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void test_snapshots(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    insert(registry, "one");
    insert(registry, "two");
    g_autoptr(BerthDistro) one = berth_registry_find(registry, "one", NULL);
    g_autoptr(BerthDistro) two = berth_registry_find(registry, "two", NULL);
    add_snapshot(registry, one, "later", 2000, false);
    add_snapshot(registry, one, "First", 1000, false);
    add_snapshot(registry, two, "first", 1000, false);
    assert_snapshots(registry, one, "First;later;");
    assert_snapshots(registry, two, "first;");

    g_autoptr(GError) error = NULL;
    g_autoptr(BerthSnapshot) same = berth_snapshot_new(one, "fIRST", 3000);
    g_assert_false(berth_registry_add_snapshot(registry, same, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "snapshot.exists");
    g_clear_error(&error);

    /* The row of the disk decides where the file is. */
    const char *const suffix = "@19700101T000000.001000Z";
    g_autofree char *before = g_strconcat("/disks/one", suffix, NULL);
    g_autofree char *after = g_strconcat("/else'where", suffix, NULL);
    g_assert_true(berth_registry_has_file(registry, before, NULL));
    g_free(one->disk);
    one->disk = g_strdup("/else'where");
    g_assert_true(berth_registry_set_disk(registry, one, NULL));
    g_assert_false(berth_registry_has_file(registry, before, NULL));
    g_assert_true(berth_registry_has_file(registry, after, NULL));
    g_assert_true(berth_registry_remove_snapshot_at(registry, before, NULL));
    assert_snapshots(registry, one, "First;later;");
    g_assert_true(berth_registry_remove_snapshot_at(registry, after, NULL));
    assert_snapshots(registry, one, "later;");

    g_autoptr(GPtrArray) all = berth_registry_snapshots(registry, NULL, NULL);
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_true(berth_registry_remove_snapshot(registry, all->pdata[1], NULL));
    g_assert_true(berth_registry_remove_snapshot(registry, all->pdata[1], NULL));
    assert_snapshots(registry, one, "");

    g_assert_true(berth_registry_remove(registry, "two", NULL)); /* with its snapshots */
    g_autoptr(GPtrArray) none = berth_registry_snapshots(registry, NULL, NULL);
    g_assert_cmpuint(none->len, ==, 0);
    g_autoptr(BerthSnapshot) orphan = berth_snapshot_new(two, "it", 4000);
    g_assert_false(berth_registry_add_snapshot(registry, orphan, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.not-found");
}

static void test_automatic_snapshots_end_with_the_next(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    insert(registry, "one");
    insert(registry, "two");
    g_autoptr(BerthDistro) one = berth_registry_find(registry, "one", NULL);
    g_autoptr(BerthDistro) two = berth_registry_find(registry, "two", NULL);
    add_snapshot(registry, one, "mine", 1000, false);
    add_snapshot(registry, one, "left", 2000, true);
    add_snapshot(registry, one, "before-restore", 3000, true);
    add_snapshot(registry, two, "before-restore", 3000, true);
    add_snapshot(registry, one, "new", 4000, true);
    g_autoptr(BerthSnapshot) new = berth_snapshot_new(one, "new", 4000);
    g_assert_true(berth_registry_settle_snapshot(registry, new, "before-restore", NULL));
    assert_snapshots(registry, one, "mine;before-restore!;");
    assert_snapshots(registry, two, "before-restore!;");

    /* A tag that the user's snapshot has changes nothing. */
    g_autoptr(GError) error = NULL;
    add_snapshot(registry, one, "newer", 5000, true);
    g_autoptr(BerthSnapshot) newer = berth_snapshot_new(one, "newer", 5000);
    g_assert_false(berth_registry_settle_snapshot(registry, newer, "MINE", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "snapshot.exists");
    assert_snapshots(registry, one, "mine;before-restore!;newer!;");
}

/* A registry of the version before snapshots keeps its rows and takes snapshots. */
static void test_a_registry_without_snapshots(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) former = open_registry(place);
    insert(former, "one");
    g_autoptr(BerthDistro) one = berth_registry_find(former, "one", NULL);
    g_clear_pointer(&former, berth_registry_close);
    execute(place, "DROP TABLE snapshot; ALTER TABLE distro DROP COLUMN template;"
                   "PRAGMA user_version = 10;");

    g_autoptr(BerthRegistry) registry = open_registry(place);
    g_autoptr(BerthDistro) kept = berth_registry_find(registry, "one", NULL);
    g_assert_cmpstr(kept->id, ==, one->id);
    assert_snapshots(registry, one, "");
    add_snapshot(registry, one, "it", 1000, false);
    assert_snapshots(registry, one, "it;");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Place *place, gconstpointer data);
    } tests[] = {
        {"/store/registry_snapshot/rows", test_snapshots},
        {"/store/registry_snapshot/automatic-ones-end-with-the-next",
         test_automatic_snapshots_end_with_the_next},
        {"/store/registry_snapshot/a-registry-without", test_a_registry_without_snapshots},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Place, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}
