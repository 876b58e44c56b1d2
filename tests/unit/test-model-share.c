/* SPDX-License-Identifier: MIT */
#include "model/share.h"

#include <glib.h>
#include <string.h>

static void test_text_and_back(void)
{
    static const char *const paths[] = {"/", "/home/ann", "/a b;c:d%e\tf", "/\303\274",
                                        "/a/..b/c."};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(BerthShare) share = berth_share_new(paths[i], "/t", i % 2 != 0);
        g_autofree char *text = berth_share_to_text(share);
        g_assert_null(strchr(text, ';'));
        g_autoptr(BerthShare) read = berth_share_from_text(text);
        g_assert_nonnull(read);
        g_assert_cmpstr(read->source, ==, paths[i]);
        g_assert_cmpstr(read->target, ==, "/t");
        g_assert_cmpint(read->read_only, ==, i % 2 != 0);
    }
}

static void test_overlay(void)
{
    g_autoptr(BerthShare) share = berth_share_from_text("cow:/s%20x:/t:/data/o%3a");
    g_assert_nonnull(share);
    g_assert_cmpstr(share->source, ==, "/s x");
    g_assert_cmpstr(share->target, ==, "/t");
    g_assert_cmpstr(share->overlay, ==, "/data/o:");
    g_assert_false(share->read_only);
    g_autofree char *text = berth_share_to_text(share);
    g_autoptr(BerthShare) again = berth_share_from_text(text);
    g_assert_cmpstr(again->overlay, ==, "/data/o:");
}

static void test_quota(void)
{
    static const char *const texts[] = {"quota:/s:/t:/data/c%3Ad:9223372036854775807",
                                        "cow-quota:/s:/t:/data/o:1"};
    const guint64 quotas[] = {G_MAXINT64, 1};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(BerthShare) share = berth_share_from_text(texts[i]);
        g_assert_nonnull(share);
        g_assert_cmpuint(share->quota, ==, quotas[i]);
        g_assert_cmpstr(share->count, ==, i == 0 ? "/data/c:d" : NULL);
        g_assert_cmpstr(share->overlay, ==, i == 1 ? "/data/o" : NULL);
        g_autofree char *text = berth_share_to_text(share);
        g_assert_cmpstr(text, ==, texts[i]);
    }
}

static void test_no_share(void)
{
    static const char *const texts[] = {"",
                                        "rw",
                                        "rw:/a",
                                        "rw:/a:/b:/c",
                                        "wr:/a:/b",
                                        "rw:a:/b",
                                        "rw:/a:b",
                                        "rw:/a/../b:/c",
                                        "rw:/a/.:/c",
                                        "rw:/a//b:/c",
                                        "rw:/a/:/b",
                                        "rw:/%00:/b",
                                        "rw::/b",
                                        "rw:/%2:/b",
                                        "cow:/a:/b",
                                        "cow:/a:/b:c",
                                        "ro:/a:/b:/c",
                                        "quota:/a:/b:/c",
                                        "quota:/a:/b:/c:0",
                                        "quota:/a:/b:c:1",
                                        "quota:/a:/b:/c:9223372036854775808",
                                        "quota:/a:/b:/c:1K",
                                        "cow-quota:/a:/b:1",
                                        "cow-quota:/a:/b:/c:-1",
                                        "rw:/a:/b:/c:1"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(BerthShare) share = berth_share_from_text(texts[i]);
        g_assert_null(share);
    }
}

static void test_overlaps(void)
{
    static const struct {
        const char *one, *other;
        bool overlap;
    } rows[] = {
        {"/a", "/a", true},   {"/a", "/a/b", true},    {"/", "/a", true},
        {"/a", "/ab", false}, {"/a/b", "/a/c", false}, {"/", "/", true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(BerthShare) one = berth_share_new("/s", rows[i].one, false);
        g_autoptr(BerthShare) other = berth_share_new("/s", rows[i].other, true);
        g_assert_cmpint(berth_share_overlaps(one, other), ==, rows[i].overlap);
        g_assert_cmpint(berth_share_overlaps(other, one), ==, rows[i].overlap);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/share/text", test_text_and_back);
    g_test_add_func("/model/share/overlay", test_overlay);
    g_test_add_func("/model/share/quota", test_quota);
    g_test_add_func("/model/share/refused", test_no_share);
    g_test_add_func("/model/share/overlaps", test_overlaps);
    return g_test_run();
}
