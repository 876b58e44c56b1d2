/* SPDX-License-Identifier: MIT
 *
 * The metadata that an import preserves: mode, owner, times, devices, attributes, ACLs, names as
 * bytes.
 */
#include "../lib/importing.h"

#include <string.h>

static void test_case_27_root_and_modes(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "./", .type = '5', .mode = 0750, .uid = 3);
    TARBALL_ADD(fixture->tarball, .path = "./usr/./bin//su", .mode = 04755, .data = "su");
    TARBALL_ADD(fixture->tarball, .path = "/tmp", .type = '5', .mode = 01777);
    TARBALL_ADD(fixture->tarball, .path = "secret", .mode = 0, .data = "x");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/", "Mode:  0750");
    oracle_expect_stat(fixture->image, "/", "User:     3 ");
    oracle_expect_stat(fixture->image, "/usr/bin", "Mode:  0755");
    oracle_expect_stat(fixture->image, "/usr/bin/su", "Mode:  04755");
    oracle_expect_content(fixture->image, "/usr/bin/su", "su", 2);
    oracle_expect_stat(fixture->image, "/tmp", "Mode:  01777");
    oracle_expect_stat(fixture->image, "/secret", "Mode:  0000");
    oracle_expect_stat(fixture->image, "/lost+found", "Inode: 11 ");
    oracle_expect_content(fixture->image, "/etc/os-release", "ID=test\n", 8);
}

static void test_case_26_owners(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a", .uid = 65534, .gid = 65536, .data = "1");
    TARBALL_ADD(fixture->tarball, .path = "b", .uid = 4294967294, .gid = 100000, .data = "1");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/a", "User: 65534   Group: 65536 ");
    oracle_expect_stat(fixture->image, "/b", "User:    -2   Group: 100000 "); /* prints it signed */
}

static void test_case_28_times(Importing *fixture, gconstpointer data)
{
    static const char *const all[] = {"mtime", "1600000000.123456789", "atime", "1500000000.5",
                                      "ctime", "1400000000.000000001", NULL};
    static const char *const old[] = {"mtime", "-1.5", NULL};
    static const char *const late[] = {"mtime", "4294967296.25", NULL};
    static const char *const never[] = {"mtime", "36028797018963968", NULL};
    TARBALL_ADD(fixture->tarball, .path = "all", .pax = all);
    TARBALL_ADD(fixture->tarball, .path = "old", .pax = old);
    TARBALL_ADD(fixture->tarball, .path = "late", .pax = late);
    TARBALL_ADD(fixture->tarball, .path = "never", .pax = never);
    TARBALL_ADD(fixture->tarball, .path = "link", .type = '2', .target = "all", .mtime = 7);
    importing_ok(fixture);
    oracle_expect_time(fixture->image, "/all", "mtime", 1600000000, 123456789);
    oracle_expect_time(fixture->image, "/all", "atime", 1500000000, 500000000);
    oracle_expect_time(fixture->image, "/all", "ctime", 1400000000, 1);
    oracle_expect_time(fixture->image, "/all", "crtime", 1600000000, 123456789);
    oracle_expect_time(fixture->image, "/old", "mtime", -2, 500000000);
    oracle_expect_time(fixture->image, "/old", "atime", -2, 500000000);
    oracle_expect_time(fixture->image, "/late", "mtime", 4294967296, 250000000);
    oracle_expect_time(fixture->image, "/never", "mtime", 15032385535, 0);
    oracle_expect_time(fixture->image, "/link", "mtime", 7, 0);
    g_assert_cmpuint(fixture->report.dropped.times, >, 0);
}

/* Two extra bits extend the seconds from 1901, so each multiple of 2^32 is a border of the
 * format. */
static void test_case_28_epochs(Importing *fixture, gconstpointer data)
{
    static const struct {
        const char *path;
        const char *text;
        gint64 sec;
        guint32 nsec;
    } cases[] = {
        {"a", "-2147483648", G_GINT64_CONSTANT(-2147483648), 0},
        {"b", "-1", -1, 0},
        {"c", "0", 0, 0},
        {"d", "2147483647.999999999", 2147483647, 999999999},
        {"e", "2147483648", G_GINT64_CONSTANT(2147483648), 0},
        {"f", "6442450943", G_GINT64_CONSTANT(6442450943), 0},
        {"g", "6442450944", G_GINT64_CONSTANT(6442450944), 0},
        {"h", "15032385535.5", G_GINT64_CONSTANT(15032385535), 500000000},
        {"i", "-2147483649", G_GINT64_CONSTANT(-2147483648), 0},
        {"j", "15032385536", G_GINT64_CONSTANT(15032385535), 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const pax[] = {"mtime", cases[i].text, NULL};
        TARBALL_ADD(fixture->tarball, .path = cases[i].path, .pax = pax);
    }
    importing_ok(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        oracle_expect_time(fixture->image, cases[i].path, "mtime", cases[i].sec, cases[i].nsec);
    g_assert_cmpuint(fixture->report.dropped.times, ==, 2);
}

static void test_case_32_devices(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "null", .type = '3', .mode = 0666, .major = 1,
                .minor = 3);
    TARBALL_ADD(fixture->tarball, .path = "big", .type = '4', .major = 3000, .minor = 70000);
    TARBALL_ADD(fixture->tarball, .path = "edge", .type = '3', .major = 255, .minor = 256);
    TARBALL_ADD(fixture->tarball, .path = "fifo", .type = '6', .mode = 0640);
    TARBALL_ADD(fixture->tarball, .path = "zero", .type = '3');
    TARBALL_ADD(fixture->tarball, .path = "most", .type = '4', .major = 4095, .minor = 1048575);
    TARBALL_ADD(fixture->tarball, .path = "contiguous", .type = '7', .data = "file");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/zero", "Device major/minor number: 00:00");
    oracle_expect_stat(fixture->image, "/most",
                       "(New-style) Device major/minor number: 4095:1048575");
    oracle_expect_content(fixture->image, "/contiguous", "file", 4);
    oracle_expect_stat(fixture->image, "/null", "Type: character special    Mode:  0666");
    oracle_expect_stat(fixture->image, "/null", "Device major/minor number: 01:03");
    oracle_expect_stat(fixture->image, "/big", "Type: block special");
    oracle_expect_stat(fixture->image, "/big", "(New-style) Device major/minor number: 3000:70000");
    oracle_expect_stat(fixture->image, "/edge", "(New-style) Device major/minor number: 255:256");
    oracle_expect_stat(fixture->image, "/fifo", "Type: FIFO    Mode:  0640");
}

static void test_case_29_xattrs(Importing *fixture, gconstpointer data)
{
    static const guint8 capability[] = {1, 0, 0, 2, 0, 32, 0, 0, 0, 0,
                                        0, 0, 0, 0, 0, 0,  0, 0, 0, 0};
    static const char *const mixed[] = {"SCHILY.xattr.user.empty",
                                        "",
                                        "SCHILY.xattr.user.note",
                                        "hello",
                                        "LIBARCHIVE.xattr.user.b64",
                                        "aGVsbG8",
                                        "SCHILY.xattr.trusted.t",
                                        "top",
                                        "SCHILY.xattr.nobody.knows",
                                        "this",
                                        NULL};
    g_autofree char *large = g_strnfill(3000, 'v');
    const char *const wide[] = {"SCHILY.xattr.user.large", large, NULL};
    tarball_add_pax(fixture->tarball, "SCHILY.xattr.security.capability", capability,
                    sizeof(capability));
    TARBALL_ADD(fixture->tarball, .path = "ping", .mode = 0755, .data = "elf");
    TARBALL_ADD(fixture->tarball, .path = "mixed", .pax = mixed);
    TARBALL_ADD(fixture->tarball, .path = "dir", .type = '5', .mode = 0755, .pax = wide);
    TARBALL_ADD(fixture->tarball, .path = "link", .type = '2', .target = "x", .pax = mixed);
    importing_ok(fixture);
    oracle_expect_xattr(fixture->image, "/ping", "security.capability", capability,
                        sizeof(capability));
    oracle_expect_xattr(fixture->image, "/mixed", "user.note", "hello", 5);
    oracle_expect_xattr(fixture->image, "/mixed", "user.empty", "", 0);
    oracle_expect_xattr(fixture->image, "/mixed", "user.b64", "hello", 5);
    oracle_expect_xattr(fixture->image, "/mixed", "trusted.t", "top", 3);
    oracle_expect_xattr(fixture->image, "/link", "trusted.t", "top", 3);
    oracle_expect_xattr(fixture->image, "/dir", "user.large", large, 3000);
    g_assert_cmpuint(fixture->report.dropped.xattrs, ==, 1 + 4);
}

/* More files with the same label than may share one block: several shared blocks. */
static void test_case_29_equal_xattrs_share_a_block(Importing *fixture, gconstpointer data)
{
    g_autofree char *value = g_strnfill(200, 'v');
    const char *const pax[] = {"SCHILY.xattr.user.label", value, NULL};
    g_autofree char *other = g_strnfill(200, 'o');
    const char *const other_pax[] = {"SCHILY.xattr.user.label", other, NULL};
    for (guint i = 0; i < 2500; i++) {
        char path[16];
        g_snprintf(path, sizeof(path), "d/%u", i);
        TARBALL_ADD(fixture->tarball, .path = path, .pax = i % 100 == 7 ? other_pax : pax);
    }
    importing_ok(fixture);
    oracle_expect_xattr(fixture->image, "/d/0", "user.label", value, 200);
    oracle_expect_xattr(fixture->image, "/d/2499", "user.label", value, 200);
    oracle_expect_xattr(fixture->image, "/d/2407", "user.label", other, 200);
    g_autoptr(GHashTable) blocks = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < 2500; i += 31) {
        g_autofree char *request = g_strdup_printf("stat /d/%u", i);
        g_autofree char *text = oracle_ask(fixture->image, request);
        const char *at = strstr(text, "File ACL: ");
        g_assert_nonnull(at);
        g_hash_table_add(blocks, GUINT_TO_POINTER((guint)g_ascii_strtoull(at + 10, NULL, 10)));
    }
    g_assert_false(g_hash_table_contains(blocks, NULL));
    g_assert_cmpuint(g_hash_table_size(blocks), <=, 4); /* 1024 + 1024 + 427, and the other */
}

#define CAPABILITY "\1\1\1\2\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"

/* The inode is filled first, then the block; both exactly. */
static void test_case_31_xattrs_that_just_fit(Importing *fixture, gconstpointer data)
{
    /* Behind a header of 32, an entry of 16 + 4, an end of 4: */
    guint room = 4096 - 32 - 20 - 4;
    g_autofree char *value = g_strnfill(room, 'v');
    g_autofree char *more = g_strnfill(room + 1, 'v');
    const char *const fits[] = {"SCHILY.xattr.user.b", value, "SCHILY.xattr.user.a", "in", NULL};
    const char *const not [] = {"SCHILY.xattr.user.b", more, "SCHILY.xattr.user.a", "in", NULL};
    TARBALL_ADD(fixture->tarball, .path = "f", .data = "x", .pax = fits);
    importing_ok(fixture);
    oracle_expect_xattr(fixture->image, "/f", "user.a", "in", 2);
    oracle_expect_xattr(fixture->image, "/f", "user.b", value, room);
    oracle_remove_file(fixture->image);

    g_autoptr(GByteArray) larger = tarball_new_rootfs();
    TARBALL_ADD(larger, .path = "g", .data = "x", .pax = not );
    tarball_end(larger);
    g_assert_true(importing_try(fixture, larger, NULL));
    oracle_check(fixture->image);
    oracle_expect_xattr(fixture->image, "/g", "user.a", "in", 2);
    g_assert_cmpuint(fixture->report.dropped.xattrs, ==, 1);
}

static void test_case_30_acls(Importing *fixture, gconstpointer data)
{
    static const char *const access[] = {
        "SCHILY.acl.access", "user::rw-,user:bob:r--:1000,group::r--,mask::rw-,other::---", NULL};
    static const char *const both[] = {
        "SCHILY.acl.access", "user::rwx,group::r-x,group:staff:rwx:50,mask::rwx,other::r-x",
        "SCHILY.acl.default", "user::rwx,group::r-x,other::---", NULL};
    static const char *const nameless[] = {
        "SCHILY.acl.access", "user::rw-,user:nobodyknows:r--,group::r--,mask::r--,other::r--",
        NULL};
    TARBALL_ADD(fixture->tarball, .path = "file", .mode = 0640, .pax = access);
    TARBALL_ADD(fixture->tarball, .path = "dir", .type = '5', .mode = 0755, .pax = both);
    TARBALL_ADD(fixture->tarball, .path = "nameless", .mode = 0644, .pax = nameless);
    importing_ok(fixture);

    /* debugfs converts ext4's form to the kernel's: version, then tag, bits, id (0 for none). */
    static const guint8 file_acl[] = {2, 0,    0, 0, 1, 0, 6,  0, 0, 0, 0, 0, 2, 0,  4,
                                      0, 0xe8, 3, 0, 0, 4, 0,  4, 0, 0, 0, 0, 0, 16, 0,
                                      6, 0,    0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0};
    oracle_expect_xattr(fixture->image, "/file", "system.posix_acl_access", file_acl,
                        sizeof(file_acl));
    oracle_expect_stat(fixture->image, "/file", "Mode:  0660"); /* the group bits are the mask */

    static const guint8 default_acl[] = {2, 0, 0, 0, 1, 0, 7,  0, 0, 0, 0, 0, 4, 0,
                                         5, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0};
    oracle_expect_xattr(fixture->image, "/dir", "system.posix_acl_default", default_acl,
                        sizeof(default_acl));
    g_assert_cmpuint(fixture->report.dropped.acls, ==, 1);
}

static void test_case_08_names_are_bytes(Importing *fixture, gconstpointer data)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    TARBALL_ADD(fixture->tarball, .path = "caf\xe9", .data = "latin");
    TARBALL_ADD(fixture->tarball, .path = "back\\slash", .data = "b");
    TARBALL_ADD(fixture->tarball, .path = longest, .data = "long");
    tarball_add_pax(fixture->tarball, "path", "e\xcc\x81",
                    3); /* decomposed: must not be normalised to NFC */
    TARBALL_ADD(fixture->tarball, .path = "x", .data = "nfd");
    tarball_add_pax(fixture->tarball, "path", "raw\xff\xfe", 5);
    TARBALL_ADD(fixture->tarball, .path = "x", .data = "raw");
    tarball_add_pax(fixture->tarball, "path", "new\nline", 8);
    TARBALL_ADD(fixture->tarball, .path = "x", .data = "nl");
    importing_ok(fixture);
    oracle_expect_content(fixture->image, "/caf\xe9", "latin", 5);
    oracle_expect_content(fixture->image, "/e\xcc\x81", "nfd", 3);
    oracle_expect_content(fixture->image, "/raw\xff\xfe", "raw", 3);
    g_autofree char *path = g_strconcat("/", longest, NULL);
    oracle_expect_content(fixture->image, path, "long", 4);
    g_autofree char *listing = oracle_ask(fixture->image, "ls -p /");
    g_assert_nonnull(strstr(listing, "back\\slash"));
    g_assert_nonnull(strstr(listing, "/new\nline/"));
}

/* System attributes are kept first, then small ones. */
static void test_case_31_xattrs_that_do_not_fit(Importing *fixture, gconstpointer data)
{
    g_autofree char *large = g_strnfill(5000, 'l');
    g_autofree char *half = g_strnfill(2500, 'h');
    const char *const pax[] = {"SCHILY.xattr.user.large",
                               large,
                               "SCHILY.xattr.user.half",
                               half,
                               "SCHILY.xattr.trusted.half",
                               half,
                               "SCHILY.xattr.security.capability",
                               CAPABILITY,
                               "SCHILY.xattr.user.small",
                               "s",
                               "SCHILY.xattr.security.large",
                               large,
                               NULL};
    TARBALL_ADD(fixture->tarball, .path = "dir/file", .data = "x", .pax = pax);
    TARBALL_ADD(fixture->tarball, .path = "dir/same", .data = "x", .pax = pax);
    TARBALL_ADD(fixture->tarball, .path = "dir/none",
                .pax = (const char *const[]){pax[0], large, NULL});
    importing_ok(fixture);
    for (guint i = 0; i < 2; i++) {
        const char *path = i == 0 ? "/dir/file" : "/dir/same";
        oracle_expect_xattr(fixture->image, path, "trusted.half", half, 2500);
        oracle_expect_xattr(fixture->image, path, "security.capability", CAPABILITY,
                            strlen(CAPABILITY));
        oracle_expect_xattr(fixture->image, path, "user.small", "s", 1);
    }
    g_assert_cmpuint(fixture->report.dropped.xattrs, ==, 3 + 3 + 1);
    g_autofree char *left = oracle_ask(fixture->image, "ea_list /dir/none");
    g_assert_null(strstr(left, "user."));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    IMPORTING_ADD("/disk/image-metadata/case-27-root-and-modes", test_case_27_root_and_modes);
    IMPORTING_ADD("/disk/image-metadata/case-26-owners", test_case_26_owners);
    IMPORTING_ADD("/disk/image-metadata/case-28-times", test_case_28_times);
    IMPORTING_ADD("/disk/image-metadata/case-28-epochs", test_case_28_epochs);
    IMPORTING_ADD("/disk/image-metadata/case-32-devices", test_case_32_devices);
    IMPORTING_ADD("/disk/image-metadata/case-29-xattrs", test_case_29_xattrs);
    IMPORTING_ADD("/disk/image-metadata/case-29-equal-xattrs-share-a-block",
                  test_case_29_equal_xattrs_share_a_block);
    IMPORTING_ADD("/disk/image-metadata/case-31-xattrs-that-just-fit",
                  test_case_31_xattrs_that_just_fit);
    IMPORTING_ADD("/disk/image-metadata/case-30-acls", test_case_30_acls);
    IMPORTING_ADD("/disk/image-metadata/case-08-names-are-bytes", test_case_08_names_are_bytes);
    IMPORTING_ADD("/disk/image-metadata/case-31-xattrs-that-do-not-fit",
                  test_case_31_xattrs_that_do_not_fit);
    return g_test_run();
}
