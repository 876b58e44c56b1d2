/* SPDX-License-Identifier: MIT
 *
 * The tree that an import builds from names: parents, replacement, links, holes. Numbers refer to
 * the edge cases in the import reference.
 */
#include "../lib/importing.h"

#include <string.h>

/* --- parents --- */

static void test_case_04_symlinked_parents(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "usr/bin", .type = '5', .mode = 0755);
    TARBALL_ADD(fixture->tarball, .path = "bin", .type = '2', .target = "usr/bin");
    TARBALL_ADD(fixture->tarball, .path = "bin/sh", .mode = 0755, .data = "sh");
    TARBALL_ADD(fixture->tarball, .path = "out", .type = '2', .target = "../../../../etc");
    TARBALL_ADD(fixture->tarball, .path = "out/inside", .data = "in");
    TARBALL_ADD(fixture->tarball, .path = "absolute", .type = '2', .target = "/usr");
    TARBALL_ADD(fixture->tarball, .path = "absolute/lib/x", .data = "x");
    TARBALL_ADD(fixture->tarball, .path = "again", .type = '1', .target = "bin/sh");
    TARBALL_ADD(fixture->tarball, .path = "last", .type = '2', .target = "/etc/os-release");
    TARBALL_ADD(fixture->tarball, .path = "last", .data = "not followed");
    importing_ok(fixture);
    oracle_expect_content(fixture->image, "/usr/bin/sh", "sh", 2);
    oracle_expect_stat(fixture->image, "/bin", "Type: symlink");
    oracle_expect_content(fixture->image, "/etc/inside", "in", 2);
    oracle_expect_content(fixture->image, "/usr/lib/x", "x", 1);
    oracle_expect_stat(fixture->image, "/again", "Links: 2 ");
    oracle_expect_content(fixture->image, "/last", "not followed", 12);
    oracle_expect_content(fixture->image, "/etc/os-release", "ID=test\n", 8);
}

static void test_case_04_dangling_parents(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "evil", .type = '2', .target = "/nowhere");
    TARBALL_ADD(fixture->tarball, .path = "evil/x", .data = "x");
    importing_refused(fixture, "import.tree.missing",
                      "unpack evil/x: evil -> /nowhere: nowhere is not in");
}

static void test_case_04_link_loops(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a", .type = '2', .target = "b");
    TARBALL_ADD(fixture->tarball, .path = "b", .type = '2', .target = "a");
    TARBALL_ADD(fixture->tarball, .path = "a/x", .data = "x");
    importing_refused(fixture, "import.tree.link-loop", "unpack a/x: too many symbolic links");
}

static void test_case_05_missing_parents(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a/b/c", .data = "x", .mtime = 5);
    TARBALL_ADD(fixture->tarball, .path = "l/m/n", .type = '1', .target = "a/b/c");
    TARBALL_ADD(fixture->tarball, .path = "a", .type = '5', .mode = 01711, .uid = 4, .mtime = 6);
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/a", "Mode:  01711");
    oracle_expect_stat(fixture->image, "/a", "User:     4 ");
    oracle_expect_time(fixture->image, "/a", "mtime", 6, 0);
    static const char *const made[] = {"/a/b", "/l", "/l/m"};
    for (gsize i = 0; i < G_N_ELEMENTS(made); i++) {
        oracle_expect_stat(fixture->image, made[i], "Mode:  0755");
        oracle_expect_stat(fixture->image, made[i], "User:     0   Group:     0 ");
        oracle_expect_time(fixture->image, made[i], "mtime", 0, 0);
    }
    oracle_expect_stat(fixture->image, "/l/m/n", "Links: 2 ");
}

static void test_case_06_parent_is_a_file(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "etc/os-release/x");
    importing_refused(fixture, "import.tree.not-a-directory",
                      "unpack etc/os-release/x: os-release is not a directory");
}

/* --- replacement --- */

static void test_case_12_last_wins(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "file", .data = "old");
    TARBALL_ADD(fixture->tarball, .path = "keeps", .type = '1', .target = "file");
    TARBALL_ADD(fixture->tarball, .path = "file", .data = "newer", .mode = 0640);
    TARBALL_ADD(fixture->tarball, .path = "grows", .data = "1");
    TARBALL_ADD(fixture->tarball, .path = "grows", .data = "");
    importing_ok(fixture);
    oracle_expect_content(fixture->image, "/file", "newer", 5);
    oracle_expect_stat(fixture->image, "/file", "Mode:  0640");
    oracle_expect_content(fixture->image, "/keeps", "old", 3);
    oracle_expect_stat(fixture->image, "/keeps", "Links: 1 ");
    oracle_expect_content(fixture->image, "/grows", "", 0);
}

static void test_case_13_directory_again(Importing *fixture, gconstpointer data)
{
    static const char *const xattr[] = {"SCHILY.xattr.user.first", "1", NULL};
    TARBALL_ADD(fixture->tarball, .path = "dir", .type = '5', .mode = 0755, .pax = xattr);
    TARBALL_ADD(fixture->tarball, .path = "dir/child", .data = "c");
    TARBALL_ADD(fixture->tarball, .path = "dir", .type = '5', .mode = 0700, .uid = 5, .mtime = 9);
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/dir", "Mode:  0700");
    oracle_expect_stat(fixture->image, "/dir", "User:     5 ");
    oracle_expect_time(fixture->image, "/dir", "mtime", 9, 0);
    oracle_expect_content(fixture->image, "/dir/child", "c", 1);
    g_autofree char *list = oracle_ask(fixture->image, "ea_list /dir");
    g_assert_null(strstr(list, "user.first"));
}

static void test_case_14_file_to_directory(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "x", .data = "f");
    TARBALL_ADD(fixture->tarball, .path = "x", .type = '5', .mode = 0711);
    TARBALL_ADD(fixture->tarball, .path = "x/in", .data = "i");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/x", "Type: directory    Mode:  0711");
    oracle_expect_content(fixture->image, "/x/in", "i", 1);
}

static void test_case_15_empty_directory_replaced(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "f", .type = '5', .mode = 0755);
    TARBALL_ADD(fixture->tarball, .path = "f", .data = "file");
    TARBALL_ADD(fixture->tarball, .path = "s", .type = '5', .mode = 0755);
    TARBALL_ADD(fixture->tarball, .path = "s", .type = '2', .target = "f");
    importing_ok(fixture);
    oracle_expect_content(fixture->image, "/f", "file", 4);
    oracle_expect_stat(fixture->image, "/s", "Fast link dest: \"f\"");
}

static void test_case_16_full_directory_stays(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "etc", .data = "x");
    importing_refused(fixture, "import.tree.not-empty", "unpack etc: it would replace a directory");
}

static void test_case_17_symlink_to_directory(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "dir/kept", .data = "k");
    TARBALL_ADD(fixture->tarball, .path = "link", .type = '2', .target = "dir");
    TARBALL_ADD(fixture->tarball, .path = "link", .type = '5', .mode = 0755);
    TARBALL_ADD(fixture->tarball, .path = "link/new", .data = "n");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/link", "Type: directory");
    oracle_expect_content(fixture->image, "/link/new", "n", 1);
    oracle_expect_missing(fixture->image, "/dir/new");
    oracle_expect_content(fixture->image, "/dir/kept", "k", 1);
}

/* --- hard links --- */

static void expect_same_file(const Importing *fixture, const char *path, const char *links)
{
    oracle_expect_stat(fixture->image, path, links);
    oracle_expect_content(fixture->image, path, "shared", 6);
}

static void test_case_18_spelling_of_targets(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "d/a", .data = "shared");
    TARBALL_ADD(fixture->tarball, .path = "b", .type = '1', .target = "d/a");
    TARBALL_ADD(fixture->tarball, .path = "c", .type = '1', .target = "./d/a");
    TARBALL_ADD(fixture->tarball, .path = "e", .type = '1', .target = "/d//a");
    importing_ok(fixture);
    static const char *const names[] = {"/d/a", "/b", "/c", "/e"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        expect_same_file(fixture, names[i], "Links: 4 ");
}

static void test_case_19_before_the_target(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "early", .type = '1', .target = "d/a");
    TARBALL_ADD(fixture->tarball, .path = "d/a", .data = "shared");
    importing_ok(fixture);
    expect_same_file(fixture, "/early", "Links: 2 ");
}

static void test_case_19_without_a_target(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "d/h", .type = '1', .target = "gone");
    importing_refused(fixture, "import.tree.link-missing", "d/h: it is a hard link to gone");
}

static void test_case_20_to_a_symlink(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "s", .type = '2', .target = "etc/os-release");
    TARBALL_ADD(fixture->tarball, .path = "s2", .type = '1', .target = "s");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/s2", "Type: symlink");
    oracle_expect_stat(fixture->image, "/s2", "Links: 2 ");
    oracle_expect_stat(fixture->image, "/etc/os-release", "Links: 1 ");
}

static void test_case_21_to_a_directory(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "h", .type = '1', .target = "etc");
    importing_refused(fixture, "import.tree.link-to-directory",
                      "unpack h: it is a hard link to a directory");
}

static void test_case_22_to_itself(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a", .data = "shared");
    TARBALL_ADD(fixture->tarball, .path = "a", .type = '1', .target = "a");
    importing_ok(fixture);
    expect_same_file(fixture, "/a", "Links: 1 ");
}

static void test_case_22_to_itself_from_nothing(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a", .type = '1', .target = "a");
    importing_refused(fixture, "import.tree.link-missing", "a: it is a hard link to a");
}

/* As written by pax(1): any of the names may carry the data. */
static void test_case_23_links_with_data(Importing *fixture, gconstpointer data)
{
    static const char *const pax[] = {"mtime", "1", NULL};
    TARBALL_ADD(fixture->tarball, .path = "a", .data = "first", .mode = 0600);
    TARBALL_ADD(fixture->tarball, .path = "b", .type = '1', .target = "a", .data = "shared",
                .pax = pax);
    importing_ok(fixture);
    expect_same_file(fixture, "/a", "Links: 2 ");
    expect_same_file(fixture, "/b", "Links: 2 ");
    oracle_expect_stat(fixture->image, "/b", "Mode:  0600");
}

static void test_case_24_too_many_links(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a", .data = "shared");
    for (guint i = 1; i < 65000; i++) {
        char path[16];
        g_snprintf(path, sizeof(path), "d/%u", i);
        TARBALL_ADD(fixture->tarball, .path = path, .type = '1', .target = "a");
    }
    importing_ok(fixture);
    expect_same_file(fixture, "/a", "Links: 65000 ");
    oracle_remove_file(fixture->image);

    g_byte_array_set_size(fixture->tarball, fixture->tarball->len - 1024);
    TARBALL_ADD(fixture->tarball, .path = "one-more", .type = '1', .target = "a");
    importing_refused(fixture, "import.tree.too-many-links",
                      "unpack one-more: the file has more than 65000 hard links");
}

static void test_case_25_metadata_of_links(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "chain", .type = '1', .target = "early", .mode = 0111);
    TARBALL_ADD(fixture->tarball, .path = "early", .type = '1', .target = "d/a", .uid = 7);
    TARBALL_ADD(fixture->tarball, .path = "d/a", .mode = 0600, .uid = 9, .data = "shared",
                .mtime = 3);
    TARBALL_ADD(fixture->tarball, .path = "b", .type = '1', .target = "d/a", .mode = 0777);
    importing_ok(fixture);
    static const char *const names[] = {"/chain", "/early", "/d/a", "/b"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        expect_same_file(fixture, names[i], "Links: 4 ");
        oracle_expect_stat(fixture->image, names[i], "Mode:  0600");
        oracle_expect_stat(fixture->image, names[i], "User:     9 ");
        oracle_expect_time(fixture->image, names[i], "mtime", 3, 0);
    }
}

static void test_case_25_cycles(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "a", .type = '1', .target = "b");
    TARBALL_ADD(fixture->tarball, .path = "b", .type = '1', .target = "a");
    importing_refused(fixture, "import.tree.link-missing", "a: it is a hard link to b");
}

/* --- symbolic links, holes, special names --- */

static void test_case_33_symlink_lengths(Importing *fixture, gconstpointer data)
{
    static const guint lengths[] = {1, 59, 60, 100, 101, 4094, 4095};
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree char *path = g_strdup_printf("l%u", lengths[i]);
        g_autofree char *target = g_strnfill(lengths[i], 'x');
        TARBALL_ADD(fixture->tarball, .path = path, .type = '2', .target = target);
    }
    importing_ok(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree char *path = g_strdup_printf("/l%u", lengths[i]);
        g_autofree char *target = g_strnfill(lengths[i], 'x');
        g_autofree char *fast = g_strdup_printf("Fast link dest: \"%s\"", target);
        oracle_expect_stat(fixture->image, path, "Type: symlink    Mode:  0777");
        if (lengths[i] < 60)
            oracle_expect_stat(fixture->image, path, fast);
        else
            oracle_expect_content(fixture->image, path, target, lengths[i]);
    }
}

static void test_case_33_bad_targets(Importing *fixture, gconstpointer data)
{
    g_autofree char *target = g_strnfill(4096, 't');
    g_autoptr(GByteArray) empty = tarball_new_rootfs();
    TARBALL_ADD(empty, .path = "l", .type = '2', .target = "");
    tarball_end(empty);
    importing_fails(fixture, empty, "import.entry.bad-link", "unpack l: the link has no target");
    TARBALL_ADD(fixture->tarball, .path = "l", .type = '2', .target = target);
    importing_refused(fixture, "import.entry.bad-link", "unpack l: ");
}

static void test_case_34_holes(Importing *fixture, gconstpointer data)
{
    /* GNU's PAX 1.0: the map precedes the data. */
    static const char *const sparse[] = {"GNU.sparse.major",
                                         "1",
                                         "GNU.sparse.minor",
                                         "0",
                                         "GNU.sparse.name",
                                         "sparse",
                                         "GNU.sparse.realsize",
                                         "10485760",
                                         NULL};
    g_autoptr(GByteArray) body = g_byte_array_new();
    g_byte_array_set_size(body, 512 + 5);
    memset(body->data, 0, body->len);
    memcpy(body->data, "2\n1048577\n5\n10485760\n0\n", 23);
    memcpy(body->data + 512, "hello", 5);
    TARBALL_ADD(fixture->tarball, .path = "GNUSparseFile.0/sparse", .data = body->data,
                .size = body->len, .pax = sparse);

    g_autofree guint8 *zeros = g_malloc0(1 << 20);
    zeros[(1 << 20) - 1] = 'z';
    TARBALL_ADD(fixture->tarball, .path = "zeros", .data = zeros, .size = 1 << 20);
    importing_ok(fixture);

    g_autofree guint8 *wanted = g_malloc0(10485760);
    memcpy(wanted + 1048577, "hello", 5);
    oracle_expect_content(fixture->image, "/sparse", wanted, 10485760);
    oracle_expect_stat(fixture->image, "/sparse", "Blockcount: 8\n");
    oracle_expect_content(fixture->image, "/zeros", zeros, 1 << 20);
    oracle_expect_stat(fixture->image, "/zeros", "Blockcount: 8\n");
}

static void test_case_49_whiteouts_are_plain_files(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "etc/.wh.os-release", .data = "");
    TARBALL_ADD(fixture->tarball, .path = "etc/._apple", .data = "double");
    importing_ok(fixture);
    oracle_expect_stat(fixture->image, "/etc/.wh.os-release", "Type: regular");
    oracle_expect_content(fixture->image, "/etc/os-release", "ID=test\n", 8);
    oracle_expect_content(fixture->image, "/etc/._apple", "double", 6);
}

static void test_refuses_entries(Importing *fixture, gconstpointer data)
{
    g_autofree char *name_256 = g_strnfill(256, 'n');
    const struct {
        TarballItem item;
        const char *id;
        const char *message;
    } cases[] = {
        {{.path = "../x"}, "import.entry.dotdot", "unpack ../x: "},
        {{.path = "a/../x"}, "import.entry.dotdot", "unpack a/../x: "},
        {{.path = "h", .type = '1', .target = "../x"},
         "import.entry.dotdot",
         "unpack h: hard link"},
        {{.path = name_256}, "import.entry.long-name", "longer than 255 bytes"},
        {{.path = "u", .uid = 4294967297}, "import.entry.bad-id", "unpack u: the owner 4294967297"},
        {{.path = "u", .gid = 4294967295}, "import.entry.bad-id", "unpack u: the owner 4294967295"},
        {{.path = "d", .type = '3', .major = 4096}, "import.entry.bad-device", "4096:0"},
        {{.path = "lost+found", .data = "x"}, "import.tree.lost-and-found", "lost+found: "},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) tarball = tarball_new_rootfs();
        tarball_add(tarball, &cases[i].item);
        tarball_end(tarball);
        importing_fails(fixture, tarball, cases[i].id, cases[i].message);
    }
}

/* --- size --- */

static void test_case_35_known_from_the_header(Importing *fixture, gconstpointer data)
{
    /* Detected long before the end of the data, which is missing. */
    static const char *const pax[] = {"size", "1099511627776", NULL};
    TARBALL_ADD(fixture->tarball, .path = "huge", .pax = pax);
    importing_fails(fixture, fixture->tarball, "import.unpack.image-full",
                    "unpack huge: the file has 1.0 TiB, the image only ");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    IMPORTING_ADD("/disk/image-tree/case-04-symlinked-parents", test_case_04_symlinked_parents);
    IMPORTING_ADD("/disk/image-tree/case-04-dangling-parents", test_case_04_dangling_parents);
    IMPORTING_ADD("/disk/image-tree/case-04-link-loops", test_case_04_link_loops);
    IMPORTING_ADD("/disk/image-tree/case-05-missing-parents", test_case_05_missing_parents);
    IMPORTING_ADD("/disk/image-tree/case-06-parent-is-a-file", test_case_06_parent_is_a_file);
    IMPORTING_ADD("/disk/image-tree/case-12-last-wins", test_case_12_last_wins);
    IMPORTING_ADD("/disk/image-tree/case-13-directory-again", test_case_13_directory_again);
    IMPORTING_ADD("/disk/image-tree/case-14-file-to-directory", test_case_14_file_to_directory);
    IMPORTING_ADD("/disk/image-tree/case-15-empty-directory-replaced",
                  test_case_15_empty_directory_replaced);
    IMPORTING_ADD("/disk/image-tree/case-16-full-directory-stays",
                  test_case_16_full_directory_stays);
    IMPORTING_ADD("/disk/image-tree/case-17-symlink-to-directory",
                  test_case_17_symlink_to_directory);
    IMPORTING_ADD("/disk/image-tree/case-18-spelling-of-targets", test_case_18_spelling_of_targets);
    IMPORTING_ADD("/disk/image-tree/case-19-before-the-target", test_case_19_before_the_target);
    IMPORTING_ADD("/disk/image-tree/case-19-without-a-target", test_case_19_without_a_target);
    IMPORTING_ADD("/disk/image-tree/case-20-to-a-symlink", test_case_20_to_a_symlink);
    IMPORTING_ADD("/disk/image-tree/case-21-to-a-directory", test_case_21_to_a_directory);
    IMPORTING_ADD("/disk/image-tree/case-22-to-itself", test_case_22_to_itself);
    IMPORTING_ADD("/disk/image-tree/case-22-to-itself-from-nothing",
                  test_case_22_to_itself_from_nothing);
    IMPORTING_ADD("/disk/image-tree/case-23-links-with-data", test_case_23_links_with_data);
    IMPORTING_ADD("/disk/image-tree/case-24-too-many-links", test_case_24_too_many_links);
    IMPORTING_ADD("/disk/image-tree/case-25-metadata-of-links", test_case_25_metadata_of_links);
    IMPORTING_ADD("/disk/image-tree/case-25-cycles", test_case_25_cycles);
    IMPORTING_ADD("/disk/image-tree/case-33-symlink-lengths", test_case_33_symlink_lengths);
    IMPORTING_ADD("/disk/image-tree/case-33-bad-targets", test_case_33_bad_targets);
    IMPORTING_ADD("/disk/image-tree/case-34-holes", test_case_34_holes);
    IMPORTING_ADD("/disk/image-tree/case-49-whiteouts-are-plain-files",
                  test_case_49_whiteouts_are_plain_files);
    IMPORTING_ADD("/disk/image-tree/refuses-entries", test_refuses_entries);
    IMPORTING_ADD("/disk/image-tree/case-35-known-from-the-header",
                  test_case_35_known_from_the_header);
    return g_test_run();
}
