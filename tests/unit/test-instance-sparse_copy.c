/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "instance/keeper/sparse_copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE  (64u << 20)
#define LIMIT (16u << 20)

static int make_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    g_assert_cmpint(pwrite(fd, "first", 5, 0), ==, 5);
    g_assert_cmpint(pwrite(fd, "middle", 6, 20 << 20), ==, 6);
    g_assert_cmpint(pwrite(fd, "last", 4, SIZE - 4), ==, 4);
    return fd;
}

/* Through bytes, as in a file. */
static int copy(int fd)
{
    g_autoptr(GVariant) saved = g_variant_ref_sink(berth_sparse_copy_save(fd, LIMIT));
    g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(saved);
    g_assert_cmpuint(g_bytes_get_size(bytes), <, 100000);
    g_autoptr(GVariant) read = g_variant_ref_sink(
        g_variant_new_from_bytes(G_VARIANT_TYPE(BERTH_SPARSE_COPY_TYPE), bytes, FALSE));
    return berth_sparse_copy_load(read, "copy", SIZE);
}

static void test_round_trip(void)
{
    static const struct {
        const char *text;
        off_t at;
    } parts[] = {{"first", 0}, {"middle", 20 << 20}, {"last", SIZE - 4}, {"\0\0", 10 << 20}};
    struct stat st;
    char bytes[8];
    berth_autofd int from = make_file();
    berth_autofd int to = copy(from);
    g_assert_cmpint(to, >=, 0);
    g_assert_cmpint(fstat(to, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, SIZE);
    g_assert_cmpint(st.st_blocks, <, 200);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        gsize length = i == 3 ? 2 : strlen(parts[i].text);
        g_assert_cmpint(pread(to, bytes, length, parts[i].at), ==, length);
        g_assert_cmpmem(bytes, length, parts[i].text, length);
    }
    g_assert_cmpint(ftruncate(to, 1), <, 0);
}

static void test_empty(void)
{
    struct stat st;
    berth_autofd int from = memfd_create("test", MFD_CLOEXEC);
    berth_autofd int to = copy(from);
    g_assert_cmpint(fstat(to, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 0);
}

static void test_limits(void)
{
    berth_autofd int from = make_file();
    g_assert_null(berth_sparse_copy_save(from, 100));
    g_assert_null(berth_sparse_copy_save(-1, LIMIT));
    g_autoptr(GVariant) saved = g_variant_ref_sink(berth_sparse_copy_save(from, LIMIT));
    g_assert_cmpint(berth_sparse_copy_load(saved, "copy", SIZE - 1), ==, -1);
}

/* Of a part outside of the file, of another type, and of any bytes. */
static void test_malformed(void)
{
    g_autoptr(GVariant) outside =
        g_variant_ref_sink(g_variant_new_parsed("(uint64 10, [(uint64 8, b'abc')])"));
    g_assert_cmpint(berth_sparse_copy_load(outside, "copy", SIZE), ==, -1);
    g_autoptr(GVariant) other = g_variant_ref_sink(g_variant_new_string("text"));
    g_assert_cmpint(berth_sparse_copy_load(other, "copy", SIZE), ==, -1);
    for (guint seed = 0; seed < 1000; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        guint8 bytes[64];
        for (gsize i = 0; i < sizeof(bytes); i++)
            bytes[i] = (guint8)g_rand_int(random);
        g_autoptr(GBytes) data = g_bytes_new(bytes, g_rand_int_range(random, 0, sizeof(bytes)));
        g_autoptr(GVariant) value = g_variant_ref_sink(
            g_variant_new_from_bytes(G_VARIANT_TYPE(BERTH_SPARSE_COPY_TYPE), data, FALSE));
        berth_autofd int fd = berth_sparse_copy_load(value, "copy", SIZE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/sparse_copy/round-trip", test_round_trip);
    g_test_add_func("/instance/sparse_copy/empty", test_empty);
    g_test_add_func("/instance/sparse_copy/limits", test_limits);
    g_test_add_func("/instance/sparse_copy/malformed", test_malformed);
    return g_test_run();
}
