/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/snapshot.h"

#include <string.h>
#include <time.h>

#define USEC (G_GINT64_CONSTANT(1764465330) * G_USEC_PER_SEC + 42) /* 2025-11-30 01:15:30 UTC */

static BerthDistro *new_distro(void)
{
    return berth_distro_new("box");
}

static void test_names(void)
{
    g_setenv("TZ", "UTC-2", TRUE); /* two hours east */
    g_autoptr(BerthDistro) distro = new_distro();
    g_autoptr(BerthSnapshot) named = berth_snapshot_new(distro, "it", USEC);
    g_autoptr(BerthSnapshot) unnamed = berth_snapshot_new(distro, NULL, USEC);
    g_assert_cmpstr(named->tag, ==, "it");
    g_assert_cmpstr(unnamed->tag, ==, "20251130-031530");
    g_assert_cmpstr(unnamed->distro, ==, distro->id);
    g_assert_false(unnamed->automatic);
    g_autofree char *file = berth_snapshot_file(named, "/data/disk.ext4");
    g_assert_cmpstr(file, ==, "/data/disk.ext4@20251130T011530.000042Z");
    g_assert_true(berth_distro_is_name(unnamed->tag));
    g_assert_true(berth_distro_is_name(unnamed->suffix)); /* a tag until a restore ends */
}

/* A microsecond apart is enough, also around a change to daylight saving time. */
static void test_files_differ(void)
{
    g_autoptr(BerthDistro) distro = new_distro();
    const gint64 times[] = {0,
                            1,
                            USEC - 1,
                            USEC,
                            USEC + 1,
                            USEC + G_USEC_PER_SEC,
                            G_GINT64_CONSTANT(253402300799) * G_USEC_PER_SEC};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        g_autoptr(BerthSnapshot) snapshot = berth_snapshot_new(distro, "it", times[i]);
        g_assert_true(g_hash_table_add(seen, berth_snapshot_file(snapshot, "/d")));
    }
}

static void test_tags(void)
{
    static const char *const good[] = {"a", "1", "before-upgrade", "v1.2_x", "before-restore2"};
    static const char *const bad[] = {
        "", "-a", ".a", "a/b", "a b", "a@b", "\n", "é", "BEFORE-restore", "before-restore"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(berth_snapshot_check_tag(good[i], NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_snapshot_check_tag(bad[i], &error));
        g_assert_cmpstr(berth_error_id(error), ==, "snapshot.tag");
        g_assert_nonnull(berth_error_hint(error));
        g_assert_null(strchr(error->message, '\n'));
    }
    g_autofree char *longest = g_strnfill(BERTH_DISTRO_NAME_LENGTH, 'a');
    g_autofree char *longer = g_strnfill(BERTH_DISTRO_NAME_LENGTH + 1, 'a');
    g_assert_true(berth_snapshot_check_tag(longest, NULL));
    g_assert_false(berth_snapshot_check_tag(longer, NULL));
}

static void test_find(void)
{
    g_autoptr(BerthDistro) distro = new_distro();
    g_autoptr(GPtrArray) snapshots =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_snapshot_free);
    g_assert_null(berth_snapshot_find(snapshots, "it"));
    g_ptr_array_add(snapshots, berth_snapshot_new(distro, "One", 1));
    g_ptr_array_add(snapshots, berth_snapshot_new(distro, "two", 2));
    g_assert_true(berth_snapshot_find(snapshots, "oNE") == snapshots->pdata[0]);
    g_assert_true(berth_snapshot_find(snapshots, "two") == snapshots->pdata[1]);
    g_assert_null(berth_snapshot_find(snapshots, "tw"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/snapshot/names", test_names);
    g_test_add_func("/model/snapshot/files-differ", test_files_differ);
    g_test_add_func("/model/snapshot/tags", test_tags);
    g_test_add_func("/model/snapshot/find", test_find);
    return g_test_run();
}
