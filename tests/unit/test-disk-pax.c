/* SPDX-License-Identifier: MIT */
#include "disk/archive/pax.h"

#include "base/error.h"

#include <string.h>

static bool add(BerthPax *pax, const char *body, GError **error)
{
    return berth_pax_add(pax, (const guint8 *)body, strlen(body), error);
}

/* Add one record built by the code under test; the parser checks its length. */
static bool add_one(BerthPax *pax, const char *key, const void *value, gsize size, GError **error)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    berth_pax_append(body, key, value, size);
    return berth_pax_add(pax, body->data, body->len, error);
}

static char *build(const BerthPax *pax)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    berth_pax_build(pax, body);
    return g_strndup((const char *)body->data, body->len);
}

static void test_malformed(void)
{
    static const char *const bodies[] = {
        "x",
        "5",
        "5 ",
        "0 a=b\n",
        "6 a=bX",
        "7 a=b\n",
        "999 path=x\n",
        "8 path\n",
        "7 =abc\n",
        " 6 a=b\n",
        "-6 a=b\n",
        "6  a=b",
        "4 a\n",
        "6 a=b\n6 a=",
        "99999999999999999999999 a=b\n",
        "garbage\n",
        "6 a=b\n\n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_auto(BerthPax) pax = {0};
        g_autoptr(GError) error = NULL;
        g_assert_false(add(&pax, bodies[i], &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.read.damaged");
        g_assert_nonnull(strstr(error->message, "PAX"));
    }
    static const char nul_in_key[] = "7 a\0=b\n";
    g_auto(BerthPax) pax = {0};
    g_assert_false(berth_pax_add(&pax, (const guint8 *)nul_in_key, 7, NULL));
    g_assert_true(add(&pax, "6 a=b\n9 uname=\n", NULL)); /* irrelevant, but well-formed */
}

static void test_lengths_count_themselves(void)
{
    for (gsize size = 0; size < 1200; size++) {
        g_autofree char *value = g_strnfill(size, 'v');
        g_auto(BerthPax) pax = {0};
        g_assert_true(add_one(&pax, "path", value, size, NULL));
        g_assert_cmpstr(pax.texts[BERTH_PAX_PATH], ==, size == 0 ? NULL : value);
    }
}

static void test_nul_and_empty(void)
{
    static const char *const keys[] = {"path", "linkpath", "GNU.sparse.name", "SCHILY.acl.access",
                                       "SCHILY.fflags"};
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_auto(BerthPax) pax = {0};
        g_autoptr(GError) error = NULL;
        g_assert_false(add_one(&pax, keys[i], "a\0b", 3, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.read.damaged");
        g_assert_nonnull(strstr(error->message, keys[i]));
    }

    /* An empty value resets a key; the last value of a key wins. */
    g_auto(BerthPax) pax = {0};
    g_assert_true(add(&pax, "10 path=a\n10 path=b\n9 uid=12\n12 mtime=17\n", NULL));
    g_assert_cmpstr(pax.texts[BERTH_PAX_PATH], ==, "b");
    g_assert_cmpint(pax.numbers[BERTH_PAX_UID], ==, 12);
    g_auto(BerthPax) copy = {0};
    berth_pax_copy(&pax, &copy);
    g_assert_true(add(&copy, "8 path=\n7 uid=\n9 mtime=\n", NULL));
    g_assert_null(copy.texts[BERTH_PAX_PATH]);
    g_assert_false(copy.has_number[BERTH_PAX_UID]);
    g_assert_false(copy.has_time[BERTH_TIME_MODIFIED]);
    g_assert_cmpstr(pax.texts[BERTH_PAX_PATH], ==, "b");
    g_assert_true(pax.has_time[BERTH_TIME_MODIFIED]);
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        gint64 value;
    } good[] = {
        {"0", 0},
        {"007", 7},
        {"-1", -1},
        {"4294967297", 4294967297},
        {"9223372036854775807", G_MAXINT64},
        {"9223372036854775808", G_MAXINT64},
        {"99999999999999999999999", G_MAXINT64},
        {"-99999999999999999999999", G_MININT64},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_auto(BerthPax) pax = {0};
        g_assert_true(add_one(&pax, "gid", good[i].text, strlen(good[i].text), NULL));
        g_assert_cmpint(pax.numbers[BERTH_PAX_GID], ==, good[i].value);
    }

    static const char *const bad[] = {"x", "-", "1x", " 1", "1 ", "0x10", "1.0", "+1", "root"};
    static const char *const keys[] = {"uid", "gid", "size", "GNU.sparse.realsize",
                                       "GNU.sparse.offset"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad) * G_N_ELEMENTS(keys); i++) {
        g_auto(BerthPax) pax = {0};
        g_autoptr(GError) error = NULL;
        const char *text = bad[i % G_N_ELEMENTS(bad)];
        g_assert_false(add_one(&pax, keys[i / G_N_ELEMENTS(bad)], text, strlen(text), &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.read.damaged");
    }
}

static void test_times(void)
{
    static const struct {
        const char *text;
        BerthTime time;
    } good[] = {
        {"0", {0, 0}},
        {"1.5", {1, 500000000}},
        {"1.", {1, 0}},
        {"-1", {-1, 0}},
        {"-1.5", {-2, 500000000}},
        {"-0.5", {-1, 500000000}},
        {"-0", {0, 0}},
        {"-0.000000001", {-1, 999999999}},
        {"-0.0000000001", {-1, 999999999}},
        {"-3.9999999999", {-4, 0}},
        {"1.0000000019", {1, 1}},
        {"1.123456789123456789", {1, 123456789}},
        {"36028797018963968", {36028797018963968, 0}},
        {"99999999999999999999.5", {G_MAXINT64, 500000000}},
        {"-99999999999999999999", {G_MININT64, 0}},
        {"1.x", {1, 0}},
        {"1e9", {1, 0}},
        {"1.5.5", {1, 500000000}},
        {"1.25s", {1, 250000000}},
        {"1-", {1, 0}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_auto(BerthPax) pax = {0};
        g_assert_true(add_one(&pax, "mtime", good[i].text, strlen(good[i].text), NULL));
        g_assert_true(pax.has_time[BERTH_TIME_MODIFIED]);
        g_assert_cmpint(pax.times[BERTH_TIME_MODIFIED].sec, ==, good[i].time.sec);
        g_assert_cmpuint(pax.times[BERTH_TIME_MODIFIED].nsec, ==, good[i].time.nsec);
    }
    static const char *const bad[] = {"nan", "inf", "-", ".5", "-.5", " 1", "-x", "+1"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_auto(BerthPax) pax = {0};
        g_autoptr(GError) error = NULL;
        g_assert_false(add_one(&pax, "atime", bad[i], strlen(bad[i]), &error));
        g_assert_nonnull(strstr(error->message, "not a time"));
    }
}

static void test_build(void)
{
    g_auto(BerthPax) pax = {0};
    g_assert_true(add_one(&pax, "path", "name", 4, NULL));
    g_assert_true(add_one(&pax, "SCHILY.xattr.user.a", "1\0", 2, NULL));
    g_assert_true(add_one(&pax, "SCHILY.xattr.user.b", "", 0, NULL));
    g_assert_true(add_one(&pax, "RHT.security.selinux", "ctx", 3, NULL));
    g_assert_true(add_one(&pax, "SCHILY.acl.access", "old", 3, NULL));
    g_assert_true(add_one(&pax, "SCHILY.acl.access", "new", 3, NULL));
    g_assert_false(berth_pax_is_sparse(&pax));
    g_assert_true(add_one(&pax, "GNU.sparse.numbytes", "5", 1, NULL));
    g_assert_true(add_one(&pax, "GNU.sparse.numblocks", "1", 1, NULL));
    g_assert_true(berth_pax_is_sparse(&pax));

    g_assert_cmpstr(pax.texts[BERTH_PAX_ACL_ACCESS], ==, "new"); /* not for libarchive */
    g_autofree char *text = build(&pax);
    g_assert_cmpstr(text, ==, "28 RHT.security.selinux=ctx\n26 SCHILY.xattr.user.a=1");
    g_autoptr(GByteArray) body = g_byte_array_new();
    berth_pax_build(&pax, body);
    static const char rest[] = "\0\n24 SCHILY.xattr.user.b=\n"
                               "26 GNU.sparse.numblocks=1\n25 GNU.sparse.numbytes=5\n";
    g_assert_cmpmem(body->data + strlen(text), body->len - strlen(text), rest, sizeof(rest) - 1);
}

static void test_other_volumes(void)
{
    g_auto(BerthPax) pax = {0};
    g_autoptr(GError) error = NULL;
    g_assert_true(add_one(&pax, "GNU.volume.label", "backup", 6, NULL));
    g_assert_false(add_one(&pax, "GNU.volume.offset", "512", 3, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.read.unsupported");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/pax/case-09-malformed", test_malformed);
    g_test_add_func("/disk/pax/lengths-count-themselves", test_lengths_count_themselves);
    g_test_add_func("/disk/pax/case-08-nul-and-empty", test_nul_and_empty);
    g_test_add_func("/disk/pax/case-26-numbers", test_numbers);
    g_test_add_func("/disk/pax/case-28-times", test_times);
    g_test_add_func("/disk/pax/case-29-build", test_build);
    g_test_add_func("/disk/pax/case-10-other-volumes", test_other_volumes);
    return g_test_run();
}
