/* SPDX-License-Identifier: MIT */
#include "disk/tree/entry.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

static bool normalise(BerthEntry *entry, GError **error)
{
    BerthDropped dropped = {0};
    return berth_entry_normalise(entry, &dropped, error);
}

static void test_paths(void)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"./a", "a"},
        {"/a", "a"},
        {"//a///b//", "a/b"},
        {"a/./b", "a/b"},
        {"./", ""},
        {"/", ""},
        {".", ""},
        {"..a/b..", "..a/b.."},
        {"...", "..."},
        {"a b\\c\n", "a b\\c\n"},
        {"\xff/\x01", "\xff/\x01"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(BerthEntry) entry = {.type = BERTH_ENTRY_DIRECTORY, .path = g_strdup(cases[i][0])};
        g_assert_true(normalise(&entry, NULL));
        g_assert_cmpstr(entry.path, ==, cases[i][1]);
    }
}

static void test_refuses_paths(void)
{
    g_autofree char *name_256 = g_strnfill(256, 'n');
    g_autofree char *path_64k = g_strnfill(65536, '/');
    const struct {
        const char *path;
        BerthEntryType type;
        const char *id;
    } cases[] = {
        {NULL, BERTH_ENTRY_FILE, "import.entry.empty-name"},
        {"", BERTH_ENTRY_FILE, "import.entry.empty-name"},
        {"..", BERTH_ENTRY_FILE, "import.entry.dotdot"},
        {"a/../b", BERTH_ENTRY_FILE, "import.entry.dotdot"},
        {"a/..", BERTH_ENTRY_FILE, "import.entry.dotdot"},
        {".", BERTH_ENTRY_FILE, "import.entry.bad-root"},
        {name_256, BERTH_ENTRY_FILE, "import.entry.long-name"},
        {path_64k, BERTH_ENTRY_DIRECTORY, "import.entry.long-name"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(BerthEntry) entry = {.type = cases[i].type, .path = g_strdup(cases[i].path)};
        g_autoptr(GError) error = NULL;
        g_assert_false(normalise(&entry, &error));
        g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
        g_assert_cmpstr(berth_error_id(error), ==, cases[i].id);
    }
}

static void test_slash_means_directory(void)
{
    g_auto(BerthEntry) entry = {.type = BERTH_ENTRY_FILE, .path = g_strdup("old/"), .size = 7};
    g_assert_true(normalise(&entry, NULL));
    g_assert_cmpint(entry.type, ==, BERTH_ENTRY_DIRECTORY);
    g_assert_cmpint(entry.size, ==, 0);
}

static void test_sizes(void)
{
    static const gint64 bad[] = {-1, G_GINT64_CONSTANT(1) << 44, G_MAXINT64};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_auto(BerthEntry) entry = {.path = g_strdup("f"), .size = bad[i]};
        g_autoptr(GError) error = NULL;
        g_assert_false(normalise(&entry, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.entry.bad-size");
    }
    g_auto(BerthEntry)
        largest = {.path = g_strdup("f"), .size = (G_GINT64_CONSTANT(1) << 44) - 4096};
    g_assert_true(normalise(&largest, NULL));
}

static void test_times(void)
{
    BerthDropped dropped = {0};
    g_auto(BerthEntry) entry = {.path = g_strdup("f")};
    entry.has_time[BERTH_TIME_MODIFIED] = true;
    entry.times[BERTH_TIME_MODIFIED] = (BerthTime){.sec = 15032385536, .nsec = 5};
    entry.has_time[BERTH_TIME_ACCESSED] = true;
    entry.times[BERTH_TIME_ACCESSED] = (BerthTime){.sec = -2147483649, .nsec = 5};
    g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
    g_assert_cmpint(entry.times[BERTH_TIME_MODIFIED].sec, ==, 15032385535);
    g_assert_cmpuint(entry.times[BERTH_TIME_MODIFIED].nsec, ==, 0);
    g_assert_cmpint(entry.times[BERTH_TIME_ACCESSED].sec, ==, -2147483648);
    g_assert_cmpint(entry.times[BERTH_TIME_CHANGED].sec, ==, 15032385535);
    g_assert_cmpuint(dropped.times, ==, 2);
}

static void test_xattrs(void)
{
    BerthDropped dropped = {0};
    g_auto(BerthEntry) entry = {.type = BERTH_ENTRY_FIFO, .path = g_strdup("f")};
    berth_entry_add_xattr(&entry, "user.x", "1", 1); /* not on a fifo */
    berth_entry_add_xattr(&entry, "trusted.x", "1", 1);
    berth_entry_add_xattr(&entry, "trusted.x", "second", 6); /* the first wins */
    berth_entry_add_xattr(&entry, "system.x", "1", 1);
    berth_entry_add_xattr(&entry, "nonsense", "1", 1);
    berth_entry_add_xattr(&entry, "security.a", "", 0);
    berth_entry_add_xattr(&entry, "system.posix_acl_default", "\2\0\0\0", 4);
    berth_entry_add_xattr(&entry, "system.posix_acl_access", "\2\0\0\0\1\0\6\0", 8);
    g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
    g_assert_cmpuint(entry.xattrs->len, ==, 2);
    g_assert_cmpstr(g_array_index(entry.xattrs, BerthXattr, 0).name, ==, "security.a");
    g_assert_cmpstr(g_array_index(entry.xattrs, BerthXattr, 1).name, ==, "trusted.x");
    g_assert_cmpuint(g_bytes_get_size(g_array_index(entry.xattrs, BerthXattr, 1).value), ==, 1);
    g_assert_cmpuint(dropped.xattrs, ==, 3);
    g_assert_cmpuint(dropped.acls, ==, 2);
}

static void test_leaves_out_xattrs(void)
{
    g_autofree char *name = g_strnfill(300, 'x');
    memcpy(name, "user.", 5);
    g_autofree char *value = g_strnfill(65537, 'v');
    const struct {
        const char *name;
        gsize size;
    } cases[] = {{name, 1}, {"user.", 1}, {"user.x", 65537}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(BerthEntry) entry = {.path = g_strdup("f")};
        berth_entry_add_xattr(&entry, cases[i].name, value, cases[i].size);
        berth_entry_add_xattr(&entry, "user.kept", "1", 1);
        BerthDropped dropped = {0};
        g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
        g_assert_cmpuint(dropped.xattrs, ==, 1);
        g_assert_cmpuint(entry.xattrs->len, ==, 1);
    }
}

typedef struct {
    guint16 tag;
    guint16 permissions;
    guint32 id;
} Line;

#define NOBODY G_MAXUINT32

/* Set this ACL, its lines in any order. */
static void set_acl(BerthEntry *entry, bool is_default, const Line *lines, guint count)
{
    g_autoptr(GArray) acl = g_array_new(false, false, sizeof(BerthAclEntry));
    for (guint i = 0; i < count; i++) {
        BerthAclEntry line = {lines[i].tag, lines[i].permissions, lines[i].id};
        g_array_append_val(acl, line);
    }
    berth_entry_add_acl(entry, is_default, acl);
}

static void test_acls(void)
{
    static const Line lines[] = {{0x20, 4, NOBODY}, {0x10, 5, NOBODY}, {0x04, 1, NOBODY},
                                 {0x02, 7, 1001},   {0x02, 7, 1000},   {0x01, 6, NOBODY}};
    BerthDropped dropped = {0};
    g_auto(BerthEntry) entry = {.path = g_strdup("f"), .mode = 04777};
    set_acl(&entry, false, lines, G_N_ELEMENTS(lines));
    g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
    g_assert_cmpuint(entry.xattrs->len, ==, 1);
    g_assert_cmpuint(entry.mode, ==, 04654); /* owner, mask, others */

    /* Three lines equal the mode and are dropped, except in a default ACL. */
    static const Line three[] = {{0x01, 7, NOBODY}, {0x04, 5, NOBODY}, {0x20, 0, NOBODY}};
    g_auto(BerthEntry)
        plain = {.type = BERTH_ENTRY_DIRECTORY, .path = g_strdup("d"), .mode = 01711};
    set_acl(&plain, false, three, 3);
    set_acl(&plain, true, three, 3);
    g_assert_true(berth_entry_normalise(&plain, &dropped, NULL));
    g_assert_cmpuint(plain.xattrs->len, ==, 1);
    g_assert_cmpstr(g_array_index(plain.xattrs, BerthXattr, 0).name, ==,
                    "system.posix_acl_default");
    g_assert_cmpuint(plain.mode, ==, 01750);
    g_assert_cmpuint(dropped.acls, ==, 0);
}

static void test_acls_without_numbers(void)
{
    static const Line lines[] = {
        {0x01, 6, NOBODY}, {0x04, 4, NOBODY}, {0x10, 6, NOBODY}, {0x20, 0, NOBODY}};
    static const BerthAclEntry bob = {.tag = 0x02, .permissions = 6};
    BerthDropped dropped = {0};
    g_auto(BerthEntry) entry = {.path = g_strdup("f"), .mode = 0600};
    set_acl(&entry, false, lines, G_N_ELEMENTS(lines));
    berth_entry_add_acl_name(&entry, "bob", &bob, false);
    g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
    g_assert_cmpuint(entry.acl_names->len, ==, 1);
    g_assert_cmpstr(g_array_index(entry.acl_names, BerthAclName, 0).name, ==, "bob");
    g_assert_cmpuint(entry.mode, ==, 0660);

    /* Invalid with names: no mask, and a default ACL on a file. */
    g_auto(BerthEntry) bad = {.path = g_strdup("f"), .mode = 0600};
    set_acl(&bad, false, lines, 2);
    berth_entry_add_acl_name(&bad, "bob", &bob, false);
    set_acl(&bad, true, lines, G_N_ELEMENTS(lines));
    berth_entry_add_acl_name(&bad, "bob", &bob, true);
    g_assert_true(berth_entry_normalise(&bad, &dropped, NULL));
    g_assert_cmpuint(bad.acl_names->len, ==, 0);
    g_assert_cmpuint(bad.xattrs->len, ==, 0);
    g_assert_cmpuint(bad.mode, ==, 0600);
    g_assert_cmpuint(dropped.acls, ==, 4);
}

static void test_hostile_acls_are_dropped(void)
{
    static const struct {
        Line lines[5];
        guint count;
    } cases[] = {
        {{{3, 7, 0}}, 1},                                               /* two tags in one */
        {{{64, 7, 0}}, 1},                                              /* unknown tag */
        {{{1, 7, 0}, {4, 7, 0}}, 2},                                    /* others are missing */
        {{{1, 7, 0}, {2, 7, 5}, {4, 7, 0}, {32, 7, 0}}, 4},             /* named, no mask */
        {{{1, 7, 0}, {4, 7, 0}, {4, 7, 0}, {32, 7, 0}}, 4},             /* twice */
        {{{1, 7, 0}, {2, 7, 5}, {2, 7, 5}, {16, 7, 0}, {32, 7, 0}}, 5}, /* twice */
        {{{1, 8, 0}, {4, 7, 0}, {32, 7, 0}}, 3},                        /* no permission */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthDropped dropped = {0};
        g_auto(BerthEntry) entry = {.path = g_strdup("f"), .mode = 0644};
        set_acl(&entry, false, cases[i].lines, cases[i].count);
        g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
        g_assert_cmpuint(dropped.acls, ==, 1);
        g_assert_cmpuint(entry.xattrs->len, ==, 0);
        g_assert_cmpuint(entry.mode, ==, 0644);
    }

    static const char version[] = {3, 0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0};
    static const gsize sizes[] = {0, 3, 4, 11, 12};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        BerthDropped dropped = {0};
        g_auto(BerthEntry) entry = {.path = g_strdup("f"), .mode = 0644};
        berth_entry_add_xattr(&entry, "system.posix_acl_access", version, sizes[i]);
        g_assert_true(berth_entry_normalise(&entry, &dropped, NULL));
        g_assert_cmpuint(dropped.acls, ==, 1);
    }
}

static void test_depth(void)
{
    GString *path = g_string_new("d");
    for (guint i = 1; i < 4096; i++)
        g_string_append(path, "/d");
    g_auto(BerthEntry) deepest = {.type = BERTH_ENTRY_DIRECTORY, .path = g_strdup(path->str)};
    g_assert_true(normalise(&deepest, NULL));
    g_auto(BerthEntry)
        deeper = {.type = BERTH_ENTRY_DIRECTORY, .path = g_strconcat(path->str, "/d", NULL)};
    g_autoptr(GError) error = NULL;
    g_assert_false(normalise(&deeper, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.entry.too-deep");
    g_string_free(path, true);
}

static void test_ids(void)
{
    static const gint64 bad[] = {-1, 4294967295, 4294967296, 4294967297, G_MAXINT64, G_MININT64};
    for (gsize i = 0; i < 2 * G_N_ELEMENTS(bad); i++) {
        gint64 id = bad[i / 2];
        g_auto(BerthEntry)
            entry = {.path = g_strdup("f"), .uid = i % 2 ? id : 0, .gid = i % 2 ? 0 : id};
        g_autoptr(GError) error = NULL;
        g_assert_false(normalise(&entry, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.entry.bad-id");
    }
    g_auto(BerthEntry) last = {.path = g_strdup("f"), .uid = 4294967294, .gid = 4294967294};
    g_assert_true(normalise(&last, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/entry/case-01-to-08-paths", test_paths);
    g_test_add_func("/disk/entry/case-03-and-07-refuses-paths", test_refuses_paths);
    g_test_add_func("/disk/entry/slash-means-directory", test_slash_means_directory);
    g_test_add_func("/disk/entry/case-35-sizes", test_sizes);
    g_test_add_func("/disk/entry/case-28-times", test_times);
    g_test_add_func("/disk/entry/case-29-xattrs", test_xattrs);
    g_test_add_func("/disk/entry/case-29-leaves-out-xattrs", test_leaves_out_xattrs);
    g_test_add_func("/disk/entry/case-30-hostile-acls-are-dropped", test_hostile_acls_are_dropped);
    g_test_add_func("/disk/entry/case-30-acls", test_acls);
    g_test_add_func("/disk/entry/case-30-acls-without-numbers", test_acls_without_numbers);
    g_test_add_func("/disk/entry/case-50-depth", test_depth);
    g_test_add_func("/disk/entry/case-26-ids", test_ids);
    return g_test_run();
}
