/* SPDX-License-Identifier: MIT
 *
 * Writing archives: their bytes, decoded by hand and by the project's own reader.
 */
#include "disk/archive/tarwriter.h"

#include "../lib/open_tar.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 512U

typedef struct {
    int fd;
    BerthCompress *output;
} Archive;

static Archive begin(void)
{
    g_autoptr(GError) error = NULL;
    Archive archive = {.fd = memfd_create("archive", MFD_CLOEXEC)};
    archive.output = berth_compress_new(archive.fd, BERTH_COMPRESSION_NONE, 1, &error);
    g_assert_no_error(error);
    return archive;
}

/* End the archive and return its bytes. */
static GBytes *end(Archive *archive)
{
    g_autoptr(GError) error = NULL;
    berth_tarwriter_end(archive->output, &error);
    berth_compress_finish(archive->output, &error);
    g_assert_no_error(error);
    gsize size = berth_compress_written(archive->output);
    g_autofree char *data = g_malloc(size);
    g_assert_cmpint(pread(archive->fd, data, size, 0), ==, (gssize)size);
    berth_compress_free(archive->output);
    close(archive->fd);
    return g_bytes_new_take(g_steal_pointer(&data), size);
}

static bool read_nothing(guint64 position, guint8 *buffer, gsize size, gpointer user_data,
                         GError **error)
{
    memset(buffer, (int)position, size);
    return true;
}

static void add(Archive *archive, BerthEntry *entry, const BerthDataRun *runs, guint count)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) list = g_array_new(false, false, sizeof(BerthDataRun));
    if (count > 0)
        g_array_append_vals(list, runs, count);
    if (entry->type == BERTH_ENTRY_FILE)
        berth_tarwriter_add_file(archive->output, entry, list, read_nothing, NULL, &error);
    else
        berth_tarwriter_add(archive->output, entry, &error);
    g_assert_no_error(error);
}

static const char *block_at(GBytes *bytes, guint number)
{
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    g_assert_cmpuint((gsize)(number + 1) * BLOCK, <=, size);
    return data + (gsize)number * BLOCK;
}

static void expect_record(GBytes *bytes, const char *record)
{
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    if (memmem(data, size, record, strlen(record)) == NULL)
        g_error("no %s", record);
}

static void test_plain(void)
{
    Archive archive = begin();
    BerthEntry entry = {.path = (char *)"etc/passwd", .mode = 0644, .size = 3, .uid = 8, .gid = 9};
    entry.times[BERTH_TIME_MODIFIED].sec = 0777;
    add(&archive, &entry, &(BerthDataRun){0, 'x', 3}, 1);
    BerthEntry root = {.path = (char *)"", .type = BERTH_ENTRY_DIRECTORY, .mode = 0755};
    add(&archive, &root, NULL, 0);
    g_autoptr(GBytes) bytes = end(&archive);

    g_assert_cmpuint(g_bytes_get_size(bytes), ==, 5 * BLOCK);
    const char *header = block_at(bytes, 0);
    g_assert_cmpstr(header, ==, "etc/passwd");
    g_assert_cmpstr(header + 100, ==, "0000644");
    g_assert_cmpstr(header + 108, ==, "0000010");
    g_assert_cmpstr(header + 116, ==, "0000011");
    g_assert_cmpstr(header + 124, ==, "00000000003");
    g_assert_cmpstr(header + 136, ==, "00000000777");
    g_assert_cmpint(header[156], ==, '0');
    g_assert_cmpmem(header + 257, 8, "ustar\00000", 8);
    g_assert_cmpmem(block_at(bytes, 1), 4, "xxx\0", 4);
    g_assert_cmpstr(block_at(bytes, 2), ==, "./");
    g_assert_cmpint(block_at(bytes, 2)[156], ==, '5');
}

static void test_case_26_owners(void)
{
    Archive archive = begin();
    BerthEntry entry = {.path = (char *)"x", .type = BERTH_ENTRY_FIFO};
    entry.uid = 2097152;
    entry.gid = 4294967294;
    add(&archive, &entry, NULL, 0);
    g_autoptr(GBytes) bytes = end(&archive);
    expect_record(bytes, "15 uid=2097152\n");
    expect_record(bytes, "18 gid=4294967294\n");
    /* Readers that ignore the record must not see root. */
    g_assert_cmpstr(block_at(bytes, 2) + 108, ==, "7777777");
}

static void test_case_28_times(void)
{
    static const struct {
        BerthTime time;
        const char *record; /* NULL: the header suffices */
    } rows[] = {
        {{0, 0}, NULL},
        {{1700000000, 0}, NULL},
        {{1700000000, 123456789}, "30 mtime=1700000000.123456789\n"},
        {{1, 500000000}, "13 mtime=1.5\n"},
        {{-1, 0}, "12 mtime=-1\n"},
        {{-2, 500000000}, "14 mtime=-1.5\n"},
        {{-1, 999999999}, "22 mtime=-0.000000001\n"},
        {{G_GINT64_CONSTANT(-2147483648), 0}, "21 mtime=-2147483648\n"},
        {{G_GINT64_CONSTANT(15032385535), 999999999}, "31 mtime=15032385535.999999999\n"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        Archive archive = begin();
        BerthEntry entry = {.path = (char *)"x", .type = BERTH_ENTRY_FIFO};
        entry.times[BERTH_TIME_MODIFIED] = rows[i].time;
        add(&archive, &entry, NULL, 0);
        g_autoptr(GBytes) bytes = end(&archive);
        if (rows[i].record != NULL)
            expect_record(bytes, rows[i].record);
        else
            g_assert_cmpuint(g_bytes_get_size(bytes), ==, 3 * BLOCK);
    }
}

static void test_case_09_long_names(void)
{
    for (guint length = 99; length <= 101; length++) {
        Archive archive = begin();
        g_autofree char *name = g_strnfill(length, 'n');
        BerthEntry entry = {.path = name, .type = BERTH_ENTRY_SYMLINK, .target = name};
        add(&archive, &entry, NULL, 0);
        g_autoptr(GBytes) bytes = end(&archive);
        g_assert_cmpuint(g_bytes_get_size(bytes), ==, (length > 100 ? 5 : 3) * BLOCK);
    }
}

/* The length of a record includes its own digits, also when they make it longer. */
static void test_case_09_record_lengths(void)
{
    for (guint length = 1; length < 1100; length++) {
        Archive archive = begin();
        g_autofree char *value = g_strnfill(length, 'v');
        g_auto(BerthEntry) entry = {.path = g_strdup("x"), .type = BERTH_ENTRY_DIRECTORY};
        berth_entry_add_xattr(&entry, "user.n", value, length);
        add(&archive, &entry, NULL, 0);
        g_autoptr(GBytes) bytes = end(&archive);
        const char *record = block_at(bytes, 1);
        char *rest = NULL;
        guint64 said = g_ascii_strtoull(record, &rest, 10);
        g_assert_cmpuint(said, ==, g_ascii_strtoull(block_at(bytes, 0) + 124, NULL, 8));
        g_assert_cmpint(record[said - 1], ==, '\n');
        g_assert_true(g_str_has_prefix(rest, " SCHILY.xattr.user.n=v"));
    }
}

static void test_case_29_attribute_names(void)
{
    Archive archive = begin();
    g_auto(BerthEntry) entry = {.path = g_strdup("x"), .type = BERTH_ENTRY_DIRECTORY};
    berth_entry_add_xattr(&entry, "user.z", "\0\n=", 3);
    berth_entry_add_xattr(&entry, "user.a=b", "value", 5);
    add(&archive, &entry, NULL, 0);
    g_autoptr(GBytes) bytes = end(&archive);
    expect_record(bytes, "LIBARCHIVE.xattr.user.a%3Db=dmFsdWU\n");
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    static const char raw[] = "25 SCHILY.xattr.user.z=\0\n=\n";
    g_assert_nonnull(memmem(data, size, raw + 2, sizeof(raw) - 3));
}

/* Sparse files of every shape round-trip through the reader. */
static void check_sparse(guint64 size, const BerthDataRun *runs, guint count, bool sparse)
{
    g_autoptr(GError) error = NULL;
    Archive archive = begin();
    BerthEntry entry = {.path = (char *)"a/file", .mode = 0644, .size = (gint64)size};
    add(&archive, &entry, runs, count);
    g_autoptr(GBytes) bytes = end(&archive);
    gsize length;
    const char *data = g_bytes_get_data(bytes, &length);
    bool marked = memmem(data, MIN(length, 2048), "GNU.sparse.major=1\n", 19) != NULL;
    g_assert_cmpint(marked, ==, sparse);

    int fd = memfd_create("archive", MFD_CLOEXEC);
    g_assert_cmpint(pwrite(fd, data, length, 0), ==, (gssize)length);
    g_autoptr(BerthTar) tar = open_tar(fd, "x.tar", &error);
    g_assert_no_error(error);
    g_auto(BerthEntry) found = {0};
    bool at_end = false;
    g_assert_true(berth_tar_next(tar, &found, &at_end, &error) && !at_end);
    g_assert_cmpstr(found.path, ==, "a/file");
    g_assert_cmpint(found.size, ==, (gint64)size);
    guint64 sum = 0, expected = 0;
    for (guint i = 0; i < count; i++)
        expected += runs[i].length * (runs[i].position & 0xff);
    for (;;) {
        const void *block = NULL;
        gsize part = 0;
        guint64 offset = 0;
        g_assert_true(berth_tar_read(tar, &block, &part, &offset, &error));
        if (part == 0)
            break;
        g_assert_cmpuint(offset + part, <=, size);
        for (gsize i = 0; i < part; i++)
            sum += ((const guint8 *)block)[i];
    }
    g_assert_cmpuint(sum, ==, expected);
    close(fd);
}

static void test_case_34_holes(void)
{
    const guint64 mib = 1 << 20;
    check_sparse(0, NULL, 0, false);
    check_sparse(100, NULL, 0, false);
    check_sparse(100, &(BerthDataRun){0, 'a', 100}, 1, false);
    check_sparse(mib, NULL, 0, true);
    check_sparse(mib, &(BerthDataRun){0, 'a', 4096}, 1, true);
    check_sparse(mib, &(BerthDataRun){mib - 4096, 'a', 4096}, 1, true);
    check_sparse(mib + 5, &(BerthDataRun){mib, 'a', 5}, 1, true);
    const BerthDataRun near[] = {{0, 'a', 4096}, {8192, 'b', 4096}};
    check_sparse(12288, near, 2, false);
    const BerthDataRun far[] = {{0, 'a', 4096}, {8192, 'b', 4096}, {mib, 'c', 100}};
    check_sparse(mib + 100, far, 3, true);
    check_sparse(4 * mib, far, 3, true);
}

static void test_case_35_large(void)
{
    const BerthDataRun runs[] = {{G_GUINT64_CONSTANT(9) << 30, 'a', 4096}};
    check_sparse(G_GUINT64_CONSTANT(15) << 40, runs, 1, true);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/tarwriter/plain", test_plain);
    g_test_add_func("/disk/tarwriter/case-09-long-names", test_case_09_long_names);
    g_test_add_func("/disk/tarwriter/case-09-record-lengths", test_case_09_record_lengths);
    g_test_add_func("/disk/tarwriter/case-26-owners", test_case_26_owners);
    g_test_add_func("/disk/tarwriter/case-28-times", test_case_28_times);
    g_test_add_func("/disk/tarwriter/case-29-attribute-names", test_case_29_attribute_names);
    g_test_add_func("/disk/tarwriter/case-34-holes", test_case_34_holes);
    g_test_add_func("/disk/tarwriter/case-35-large", test_case_35_large);
    return g_test_run();
}
