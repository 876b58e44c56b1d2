/* SPDX-License-Identifier: MIT */
#include "share/quota.h"

#include <glib/gstdio.h>
#include <string.h>

#define KIB 1024u

static const BerthNodeKey one = {1, 2, 3}, other = {1, 2, 4};

typedef struct {
    char *path; /* of the count; owned */
    BerthQuota *quota;
} Fixture;

static void begin(Fixture *fixture)
{
    fixture->quota = berth_quota_new(100 * KIB);
    g_assert_true(berth_quota_keep(fixture->quota, fixture->path, NULL));
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree char *top = g_dir_make_tmp("berth-quota-XXXXXX", NULL);
    fixture->path = g_build_filename(top, "counts", "count", NULL);
    begin(fixture);
    g_assert_true(berth_quota_resume(fixture->quota));
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autofree char *directory = g_path_get_dirname(fixture->path);
    g_autofree char *top = g_path_get_dirname(directory);
    berth_quota_free(fixture->quota);
    g_unlink(fixture->path);
    g_rmdir(directory);
    g_rmdir(top);
    g_free(fixture->path);
}

/* As after the end of the server. */
static bool again(Fixture *fixture)
{
    g_clear_pointer(&fixture->quota, berth_quota_free);
    begin(fixture);
    return berth_quota_resume(fixture->quota);
}

static void assert_used(const Fixture *fixture, guint64 used)
{
    g_assert_cmpuint(berth_quota_used(fixture->quota), ==, used);
    g_assert_cmpuint(berth_quota_left(fixture->quota), ==, used < 100 * KIB ? 100 * KIB - used : 0);
}

static void test_count(Fixture *fixture, gconstpointer data)
{
    assert_used(fixture, 0);
    berth_quota_change(fixture->quota, &one, 60 * KIB);
    berth_quota_change(fixture->quota, &other, 60 * KIB);
    assert_used(fixture, 120 * KIB); /* a request may go past the limit */
    g_assert_true(again(fixture));
    assert_used(fixture, 120 * KIB);
    berth_quota_change(fixture->quota, &one, -(gint64)(200 * KIB));
    assert_used(fixture, 0); /* no credit */
    berth_quota_change(fixture->quota, &one, 1 * KIB);
    assert_used(fixture, 1 * KIB);
    berth_quota_change(fixture->quota, &one, G_MAXINT64);
    berth_quota_change(fixture->quota, &one, G_MAXINT64);
    berth_quota_change(fixture->quota, &one, G_MAXINT64);
    assert_used(fixture, G_MAXUINT64);
}

static void test_orphans(Fixture *fixture, gconstpointer data)
{
    berth_quota_change(fixture->quota, &one, 40 * KIB);
    berth_quota_unlinked(fixture->quota, &one, 40 * KIB, true);
    assert_used(fixture, 40 * KIB);
    berth_quota_change(fixture->quota, &one, 10 * KIB);
    berth_quota_closed(fixture->quota, &other); /* the same inode number, born later */
    assert_used(fixture, 50 * KIB);
    berth_quota_closed(fixture->quota, &one);
    berth_quota_closed(fixture->quota, &one);
    assert_used(fixture, 0);
    berth_quota_change(fixture->quota, &one, 40 * KIB);
    berth_quota_unlinked(fixture->quota, &one, 30 * KIB, false);
    assert_used(fixture, 10 * KIB);
    berth_quota_unlinked(fixture->quota, &other, 30 * KIB, true); /* most was the host's */
    assert_used(fixture, 10 * KIB);
    g_assert_true(again(fixture)); /* whose end has closed it */
    assert_used(fixture, 0);
}

static void test_damage(Fixture *fixture, gconstpointer data)
{
    static const char *const texts[] = {"x", "1\n", "-0000000000000000001\n",
                                        "99999999999999999999\n", "00000000000000000001 "};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_assert_true(g_file_set_contents(fixture->path, texts[i], -1, NULL));
        g_assert_false(again(fixture));
        assert_used(fixture, 100 * KIB);
        g_assert_true(again(fixture)); /* it was mended */
    }
}

static void test_prefix(void)
{
    static const struct {
        guint64 left, offset, length;
        guint64 holes[4];
        gsize n_holes;
        guint64 prefix;
    } rows[] = {
        {0, 0, 100, {0}, 0, 100},                  /* all has blocks */
        {0, 0, 100, {0, 100}, 2, 0},               /* nothing fits */
        {4096, 0, 100, {0, 100}, 2, 100},          /* one block */
        {4095, 0, 100, {0, 100}, 2, 0},            /* not quite one */
        {4096, 0, 8192, {0, 8192}, 2, 4096},       /* a part */
        {4096, 100, 8092, {0, 8192}, 2, 3996},     /* up to the end of a block */
        {4096, 0, 20000, {8192, 20000}, 2, 12288}, /* after what has blocks */
        {8192, 0, 20000, {4096, 8192, 16384, 20000}, 4, 20000},
        {4096, 0, 20000, {4096, 8192, 16384, 20000}, 4, 16384},
        {0, 4096, 4096, {0, 4096}, 2, 4096}, /* a hole before */
        {0, 0, 4096, {4096, 8192}, 2, 4096}, /* and one behind */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpuint(berth_quota_prefix(rows[i].left, 4096, rows[i].offset, rows[i].length,
                                            rows[i].holes, rows[i].n_holes),
                         ==, rows[i].prefix);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/share/quota/count", Fixture, NULL, set_up, test_count, tear_down);
    g_test_add("/share/quota/orphans", Fixture, NULL, set_up, test_orphans, tear_down);
    g_test_add("/share/quota/damage", Fixture, NULL, set_up, test_damage, tear_down);
    g_test_add_func("/share/quota/prefix", test_prefix);
    return g_test_run();
}
