/* SPDX-License-Identifier: MIT */
#include "disk/ext4/ext4.h"

#include "../lib/oracle.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *directory;
    char *image;
    int fd;
    BerthTree *tree;
    BerthExt4 *ext4;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer size_mib)
{
    guint64 size = (guint64)GPOINTER_TO_UINT(size_mib) << 20;
    fixture->directory = oracle_make_directory();
    fixture->image = g_build_filename(fixture->directory, "image", NULL);
    fixture->fd = open(fixture->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    g_assert_cmpint(ftruncate(fixture->fd, (off_t)size), ==, 0);

    g_autoptr(GError) error = NULL;
    fixture->tree = berth_tree_new();
    fixture->ext4 = berth_ext4_new(fixture->fd, &(BerthExt4Options){.size = size}, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_ext4_free(fixture->ext4);
    berth_tree_free(fixture->tree);
    berth_fd_close(&fixture->fd);
    g_free(fixture->image);
    oracle_remove_directory(fixture->directory);
}

static BerthInode *add(Fixture *fixture, BerthEntryType type, const char *path)
{
    BerthEntry entry = {.type = type, .path = (char *)path, .mode = 0755};
    BerthInode *file = NULL;
    g_autoptr(GError) error = NULL;
    berth_tree_add(fixture->tree, &entry, &file, &error);
    g_assert_no_error(error);
    return file;
}

static void add_entry(Fixture *fixture, const BerthEntry *entry)
{
    BerthInode *file = NULL;
    g_autoptr(GError) error = NULL;
    berth_tree_add(fixture->tree, entry, &file, &error);
    g_assert_no_error(error);
}

static bool put(Fixture *fixture, BerthInode *file, const void *data, gsize size, GError **error)
{
    return berth_ext4_begin_file(fixture->ext4, file, "file", size, false, error) &&
           berth_ext4_write(fixture->ext4, 0, data, size, error) &&
           berth_ext4_end_file(fixture->ext4, error);
}

static void finish(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_tree_finish(fixture->tree, &error));
    berth_ext4_finish(fixture->ext4, fixture->tree, &error);
    g_assert_no_error(error);
    oracle_check(fixture->image);
}

static guint64 host_bytes(const Fixture *fixture)
{
    struct stat status;
    g_assert_cmpint(fstat(fixture->fd, &status), ==, 0);
    return (guint64)status.st_blocks * 512;
}

static void test_content_survives_any_chunking(Fixture *fixture, gconstpointer data)
{
    static const gsize chunks[] = {1, 511, 4095, 4096, 4097, 65536, 70001};
    g_autofree guint8 *bytes = g_malloc(70001);
    for (guint i = 0; i < 70001; i++)
        bytes[i] = (guint8)(i * 31 + i / 251);
    for (gsize i = 0; i < G_N_ELEMENTS(chunks); i++) {
        g_autofree char *path = g_strdup_printf("f%" G_GSIZE_FORMAT, chunks[i]);
        BerthInode *file = add(fixture, BERTH_ENTRY_FILE, path);
        g_assert_true(berth_ext4_begin_file(fixture->ext4, file, path, 70001, false, NULL));
        for (gsize at = 0; at < 70001; at += chunks[i])
            g_assert_true(
                berth_ext4_write(fixture->ext4, at, bytes + at, MIN(chunks[i], 70001 - at), NULL));
        g_assert_true(berth_ext4_end_file(fixture->ext4, NULL));
    }
    finish(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(chunks); i++) {
        g_autofree char *path = g_strdup_printf("/f%" G_GSIZE_FORMAT, chunks[i]);
        oracle_expect_content(fixture->image, path, bytes, 70001);
    }
}

/* Every second block is a hole, for more extents than the inode, and than one block, can hold. */
static void test_many_extents(Fixture *fixture, gconstpointer data)
{
    static const guint counts[] = {4, 5, 340, 341, 3000};
    g_autofree guint8 *bytes = g_malloc0((gsize)3000 * 8192);
    for (guint i = 0; i < 3000; i++)
        bytes[i * 8192] = (guint8)(i % 255 + 1);
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *path = g_strdup_printf("f%u", counts[i]);
        g_assert_true(put(fixture, add(fixture, BERTH_ENTRY_FILE, path), bytes,
                          (gsize)counts[i] * 8192, NULL));
    }
    finish(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *path = g_strdup_printf("/f%u", counts[i]);
        oracle_expect_content(fixture->image, path, bytes, (gsize)counts[i] * 8192);
    }
}

/* The memory for a file with very many extents is bounded: its short holes are written as zeros. */
static void test_case_51_extents_have_a_limit(Fixture *fixture, gconstpointer data)
{
    guint8 block[4096];
    BerthInode *file = add(fixture, BERTH_ENTRY_FILE, "f");
    guint64 size = (guint64)40000 * 8192 + ((guint64)1 << 30) + 4096;
    g_assert_true(berth_ext4_begin_file(fixture->ext4, file, "f", size, true, NULL));
    memset(block, 'x', sizeof(block));
    for (guint i = 0; i < 40000; i++)
        g_assert_true(
            berth_ext4_write(fixture->ext4, (guint64)i * 8192, block, sizeof(block), NULL));
    g_assert_true(berth_ext4_write(fixture->ext4, size - 4096, block, sizeof(block), NULL));
    g_assert_true(berth_ext4_end_file(fixture->ext4, NULL));
    g_assert_cmpuint(file->extent_count, <, 32768 + 16);
    finish(fixture);
    g_assert_cmpuint(host_bytes(fixture), <, (guint64)80000 * 4096 + (8 << 20)); /* not a GiB */
}

/* debugfs finds names through the index, so a wrong hash or order hides them. */
static void test_case_50_large_directories(Fixture *fixture, gconstpointer data)
{
    g_autofree char *long_part = g_strnfill(240, 'l');
    for (guint i = 0; i < 20000; i++) {
        g_autofree char *flat = g_strdup_printf("flat/file-%u", i);
        add(fixture, BERTH_ENTRY_FILE, flat);
        g_autofree char *deep = g_strdup_printf("deep/%s-%u", long_part, i); /* two index levels */
        add(fixture, BERTH_ENTRY_FIFO, deep);
    }
    finish(fixture);
    oracle_expect_stat(fixture->image, "/flat", "Flags: 0x81000"); /* extents and index */
    oracle_expect_stat(fixture->image, "/deep", "Flags: 0x81000");
    oracle_expect_stat(fixture->image, "/flat/file-0", "Type: regular");
    oracle_expect_stat(fixture->image, "/flat/file-19999", "Type: regular");
    g_autofree char *last = g_strdup_printf("/deep/%s-19999", long_part);
    oracle_expect_stat(fixture->image, last, "Type: FIFO");
    oracle_expect_missing(fixture->image, "/flat/file-20000");
    g_autofree char *dump = oracle_ask(fixture->image, "htree_dump /deep");
    g_assert_nonnull(strstr(dump, "Indirect levels: 1"));
    g_autofree char *flat_dump = oracle_ask(fixture->image, "htree_dump /flat");
    g_assert_nonnull(strstr(flat_dump, "Indirect levels: 0"));
}

/* The border between the two formats is one name more than a block holds. */
static void test_case_50_directory_at_the_border(Fixture *fixture, gconstpointer data)
{
    /* 4084 bytes without the tail, less 24 for . and ..: 253 names of 16 bytes leave 12. */
    for (guint i = 0; i < 254; i++) {
        g_autofree char *one = g_strdup_printf("linear/n%05u", i);
        g_autofree char *two = g_strdup_printf("indexed/n%05u", i);
        if (i < 253)
            add(fixture, BERTH_ENTRY_FILE, one);
        add(fixture, BERTH_ENTRY_FILE, two);
    }
    add(fixture, BERTH_ENTRY_FILE, "linear/last"); /* the 12 bytes */
    finish(fixture);
    oracle_expect_stat(fixture->image, "/linear", "Flags: 0x80000");
    oracle_expect_stat(fixture->image, "/linear", "Size: 4096\n");
    oracle_expect_stat(fixture->image, "/indexed", "Flags: 0x81000");
    oracle_expect_stat(fixture->image, "/indexed/n00253", "Type: regular");
    oracle_expect_stat(fixture->image, "/linear/last", "Type: regular");
}

/* A directory has at most 64998 subdirectories before its link count says 1: not counted. */
static void test_case_50_more_subdirectories_than_links(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 64999; i++) {
        g_autofree char *just = g_strdup_printf("just/%u", i);
        g_autofree char *more = g_strdup_printf("more/%u", i);
        if (i < 64998)
            add(fixture, BERTH_ENTRY_DIRECTORY, just);
        add(fixture, BERTH_ENTRY_DIRECTORY, more);
    }
    finish(fixture);
    oracle_expect_stat(fixture->image, "/just", "Links: 65000 ");
    oracle_expect_stat(fixture->image, "/more", "Links: 1 ");
}

static void test_case_12_replaced_data_is_freed(Fixture *fixture, gconstpointer data)
{
    gsize size = 16 << 20;
    g_autofree guint8 *bytes = g_malloc(size);
    memset(bytes, 'a', size);
    for (guint i = 0; i < 3; i++)
        g_assert_true(put(fixture, add(fixture, BERTH_ENTRY_FILE, "f"), bytes, size, NULL));
    BerthInode *again = berth_tree_child(fixture->tree->root, "f");
    memset(bytes, 'b', size);
    g_assert_true(put(fixture, again, bytes, size, NULL));
    finish(fixture);
    oracle_expect_content(fixture->image, "/f", bytes, size);
    g_assert_cmpuint(host_bytes(fixture), <, 2 * size);
}

static void test_full_image_is_reported(Fixture *fixture, gconstpointer data)
{
    gsize size = 1 << 20;
    g_autofree guint8 *bytes = g_malloc(size);
    memset(bytes, 'a', size);
    BerthInode *file = add(fixture, BERTH_ENTRY_FILE, "f");
    g_autoptr(GError) error = NULL;
    /* Declared sparse, so that the size alone is not rejected. */
    g_assert_true(berth_ext4_begin_file(fixture->ext4, file, "a/f", G_GUINT64_CONSTANT(1) << 40,
                                        true, &error));
    guint64 at = 0;
    while (berth_ext4_write(fixture->ext4, at, bytes, size, &error))
        at += size;
    g_assert_cmpstr(berth_error_id(error), ==, "import.unpack.image-full");
    g_assert_true(g_str_has_prefix(error->message, "unpack a/f: the image is full: "));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_NO_SPACE);
}

static void test_uses_the_last_block(Fixture *fixture, gconstpointer data)
{
    /* The journal is in the middle, so the free space is not contiguous. */
    guint64 left = berth_ext4_free_space(fixture->ext4) - 4096 * 4; /* for the two directories */
    g_autofree guint8 *bytes = g_malloc(left);
    memset(bytes, 'a', left);
    g_autoptr(GError) error = NULL;
    put(fixture, add(fixture, BERTH_ENTRY_FILE, "f"), bytes, left, &error);
    g_assert_no_error(error);
    finish(fixture);
    oracle_expect_content(fixture->image, "/f", bytes, left);
}

static void test_case_50_inodes_run_out(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 17000; i++) {
        g_autofree char *path = g_strdup_printf("%u", i);
        add(fixture, BERTH_ENTRY_FIFO, path);
    }
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_tree_finish(fixture->tree, &error));
    g_assert_false(berth_ext4_finish(fixture->ext4, fixture->tree, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.too-many-files");
    g_assert_cmpstr(berth_error_hint(error), ==, "give the image more inodes: --inodes 17011");
}

static void test_rejects_data_out_of_order(Fixture *fixture, gconstpointer data)
{
    static const struct {
        guint64 offset;
        gsize size;
    } cases[] = {{0, 4}, {99, 2}, {101, 1}, {G_MAXUINT64, 8}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthInode *file = add(fixture, BERTH_ENTRY_FILE, "f");
        g_autoptr(GError) error = NULL;
        g_assert_true(berth_ext4_begin_file(fixture->ext4, file, "f", 100, false, NULL));
        g_assert_true(berth_ext4_write(fixture->ext4, 0, "12345678", 8, NULL));
        g_assert_false(
            berth_ext4_write(fixture->ext4, cases[i].offset, "12345678", cases[i].size, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.read.damaged");
        g_assert_true(berth_ext4_end_file(fixture->ext4, NULL));
    }
}

static void test_case_32_sockets(Fixture *fixture, gconstpointer data)
{
    add(fixture, BERTH_ENTRY_SOCKET, "run/socket");
    finish(fixture);
    oracle_expect_stat(fixture->image, "/run/socket", "Type: socket    Mode:  0755");
}

static void test_case_36_nodump(Fixture *fixture, gconstpointer data)
{
    char path[] = "f";
    add_entry(fixture, &(BerthEntry){.type = BERTH_ENTRY_FIFO, .path = path, .nodump = true});
    finish(fixture);
    oracle_expect_stat(fixture->image, "/f", "Flags: 0x40\n");
}

/* ACL lines with names are resolved by the image's own files, through its own links. */
static void test_case_30_names_in_acls(Fixture *fixture, gconstpointer data)
{
    static const char passwd[] = "root:x:0:0::/:/bin/sh\nbroken\nbob:x:1000:1000::/:\nno:x:id:\n";
    static const char group[] = "staff:x:50:bob\n";
    g_assert_true(put(fixture, add(fixture, BERTH_ENTRY_FILE, "lib/users"), passwd,
                      sizeof(passwd) - 1, NULL));
    g_assert_true(
        put(fixture, add(fixture, BERTH_ENTRY_FILE, "etc/group"), group, sizeof(group) - 1, NULL));
    char passwd_path[] = "etc/passwd";
    char target[] = "/lib/users";
    add_entry(fixture,
              &(BerthEntry){.type = BERTH_ENTRY_SYMLINK, .path = passwd_path, .target = target});

    BerthAclEntry lines[] = {{0x01, 6, G_MAXUINT32},
                             {0x02, 4, 2000},
                             {0x04, 4, G_MAXUINT32},
                             {0x10, 6, G_MAXUINT32},
                             {0x20, 0, G_MAXUINT32}};
    g_autoptr(GArray) acl = g_array_new(false, false, sizeof(BerthAclEntry));
    g_array_append_vals(acl, lines, G_N_ELEMENTS(lines));
    BerthAclName names[] = {{.name = (char *)"bob", .tag = 2, .permissions = 6},
                            {.name = (char *)"staff", .tag = 8, .permissions = 5},
                            {.name = (char *)"staff", .tag = 2, .permissions = 7},
                            {.name = (char *)"no", .tag = 2, .permissions = 7}};
    char path[] = "f";
    BerthEntry entry = {.type = BERTH_ENTRY_FIFO, .path = path, .mode = 0640};
    berth_entry_add_acl(&entry, false, acl);
    entry.acl_names = g_array_new(false, false, sizeof(BerthAclName));
    g_array_append_vals(entry.acl_names, names, G_N_ELEMENTS(names));
    add_entry(fixture, &entry);
    g_array_unref(entry.acl_names);
    g_array_unref(entry.xattrs);
    finish(fixture);

    static const guint8 wanted[] = {2, 0,    0, 0, 1, 0, 6, 0,  0, 0,    0,  0, 2, 0, 6,
                                    0, 0xe8, 3, 0, 0, 2, 0, 4,  0, 0xd0, 7,  0, 0, 4, 0,
                                    4, 0,    0, 0, 0, 0, 8, 0,  5, 0,    50, 0, 0, 0, 16,
                                    0, 6,    0, 0, 0, 0, 0, 32, 0, 0,    0,  0, 0, 0, 0};
    oracle_expect_xattr(fixture->image, "/f", "system.posix_acl_access", wanted, sizeof(wanted));
    g_assert_cmpuint(fixture->tree->acls_dropped, ==, 2);
}

static void test_case_50_inodes_can_be_chosen(Fixture *fixture, gconstpointer data)
{
    static const struct {
        guint64 inodes;
        const char *shown;
    } cases[] = {{100, "\nInode count:              112\n"},
                 {16384, "\nInode count:              16384\n"}};
    guint64 size = (guint64)GPOINTER_TO_UINT(data) << 20;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_clear_pointer(&fixture->ext4, berth_ext4_free);
        g_clear_pointer(&fixture->tree, berth_tree_free);
        g_assert_cmpint(ftruncate(fixture->fd, 0), ==, 0);
        g_assert_cmpint(ftruncate(fixture->fd, (off_t)size), ==, 0);
        BerthExt4Options options = {.size = size, .inodes = cases[i].inodes};
        fixture->tree = berth_tree_new();
        fixture->ext4 = berth_ext4_new(fixture->fd, &options, NULL);
        g_assert_cmpuint(berth_ext4_files_max(fixture->ext4), >=, cases[i].inodes - 9);
        finish(fixture);
        g_autofree char *super = oracle_ask(fixture->image, "show_super_stats -h");
        g_assert_nonnull(strstr(super, cases[i].shown));
    }
    static const guint64 refused[] = {1, 11, 16385, G_MAXUINT64};
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        BerthExt4Options options = {.size = size, .inodes = refused[i]};
        g_assert_null(berth_ext4_new(fixture->fd, &options, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.create.bad-inodes");
    }
}

static void test_case_50_too_many_files(Fixture *fixture, gconstpointer data)
{
    fixture->tree->files_max = 100;
    g_autoptr(GError) error = NULL;
    BerthEntry entry = {.type = BERTH_ENTRY_FIFO};
    guint made = 0;
    for (bool fits = true; fits; made += fits) {
        g_autofree char *path = entry.path = g_strdup_printf("%u", made);
        BerthInode *file = NULL;
        fits = berth_tree_add(fixture->tree, &entry, &file, &error);
    }
    g_assert_cmpuint(made, ==, 99); /* and the root */
    g_assert_cmpstr(berth_error_id(error), ==, "import.tree.too-many-files");
    g_assert_cmpstr(berth_error_hint(error), ==, "give the image more inodes: --inodes 200");
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_NO_SPACE);
}

#define ADD(name, size_mib, func)                                                                  \
    g_test_add("/disk/ext4/" name, Fixture, GUINT_TO_POINTER(size_mib), set_up, (func), tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("content-survives-any-chunking", 64, test_content_survives_any_chunking);
    ADD("many-extents", 64, test_many_extents);
    ADD("case-51-extents-have-a-limit", 2048, test_case_51_extents_have_a_limit);
    ADD("case-50-large-directories", 1024, test_case_50_large_directories);
    ADD("case-50-directory-at-the-border", 64, test_case_50_directory_at_the_border);
    ADD("case-50-more-subdirectories-than-links", 1024,
        test_case_50_more_subdirectories_than_links);
    ADD("case-12-replaced-data-is-freed", 128, test_case_12_replaced_data_is_freed);
    ADD("full-image-is-reported", 64, test_full_image_is_reported);
    ADD("uses-the-last-block", 64, test_uses_the_last_block);
    ADD("case-50-inodes-run-out", 64, test_case_50_inodes_run_out);
    ADD("case-32-sockets", 64, test_case_32_sockets);
    ADD("case-36-nodump", 64, test_case_36_nodump);
    ADD("case-30-names-in-acls", 64, test_case_30_names_in_acls);
    ADD("case-50-inodes-can-be-chosen", 64, test_case_50_inodes_can_be_chosen);
    ADD("case-50-too-many-files", 64, test_case_50_too_many_files);
    ADD("rejects-data-out-of-order", 64, test_rejects_data_out_of_order);
    return g_test_run();
}
