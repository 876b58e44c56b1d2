/* SPDX-License-Identifier: MIT
 *
 * Compression: the formats' own programs decompress the output, at every block boundary.
 */
#include "../lib/tarball.h"
#include "base/error.h"
#include "disk/archive/compress.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STAGE (1U << 20)
#define BLOCK (512U << 10)

typedef struct {
    const char *name;
    BerthCompression method;
    const char *const argv[4]; /* the decompressor */
} Format;

static const Format formats[] = {
    {"none", BERTH_COMPRESSION_NONE, {"cat", NULL}},
    {"gzip", BERTH_COMPRESSION_GZIP, {"gzip", "-dc", NULL}},
    {"xz", BERTH_COMPRESSION_XZ, {"xz", "-dc", NULL}},
    {"zstd", BERTH_COMPRESSION_ZSTD, {"zstd", "-dcq", NULL}},
};

static GByteArray *make_data(gsize size, bool random)
{
    GByteArray *data = g_byte_array_sized_new((guint)size);
    g_byte_array_set_size(data, (guint)size);
    GRand *rand = g_rand_new_with_seed(42);
    for (gsize i = 0; i < size; i++)
        data->data[i] = random ? (guint8)g_rand_int(rand) : (guint8)("words "[i % 6] + i / 99991);
    g_rand_free(rand);
    return data;
}

static GByteArray *pack(const Format *format, const GByteArray *data, guint threads, gsize step)
{
    g_autoptr(GError) error = NULL;
    int fd = memfd_create("packed", MFD_CLOEXEC);
    g_autoptr(BerthCompress) compress = berth_compress_new(fd, format->method, threads, &error);
    g_assert_no_error(error);
    for (gsize at = 0; at < data->len; at += step)
        g_assert_true(
            berth_compress_write(compress, data->data + at, MIN(step, data->len - at), &error));
    g_assert_true(berth_compress_finish(compress, &error));

    gsize size = berth_compress_written(compress);
    GByteArray *packed = g_byte_array_new();
    g_byte_array_set_size(packed, (guint)size);
    g_assert_cmpint(pread(fd, packed->data, size, 0), ==, (gssize)size);
    close(fd);
    return packed;
}

static void test_sizes(gconstpointer user_data)
{
    const Format *format = user_data;
    static const gsize sizes[] = {0,         1,         BLOCK - 1, BLOCK,         BLOCK + 1,
                                  STAGE - 1, STAGE + 1, 2 * STAGE, 5 * BLOCK + 3, 40 * BLOCK};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GByteArray) data = make_data(sizes[i], i % 2 == 0 && i < 9);
        g_autoptr(GByteArray) packed = pack(format, data, 3, 77777);
        g_autoptr(GByteArray) again = tarball_filter(packed, format->argv);
        g_assert_cmpmem(again->data, again->len, data->data, data->len);
    }
}

static void test_threads(gconstpointer user_data)
{
    const Format *format = user_data;
    g_autoptr(GByteArray) data = make_data(7 * BLOCK + 11, false);
    g_autoptr(GByteArray) one = pack(format, data, 1, data->len);
    g_autoptr(GByteArray) many = pack(format, data, 5, 1000);
    g_assert_cmpmem(one->data, one->len, many->data, many->len);
}

/* Incompressible data grows. */
static void test_noise(gconstpointer user_data)
{
    const Format *format = user_data;
    g_autoptr(GByteArray) data = make_data(6 * BLOCK, true);
    g_autoptr(GByteArray) packed = pack(format, data, 2, data->len);
    g_autoptr(GByteArray) again = tarball_filter(packed, format->argv);
    g_assert_cmpmem(again->data, again->len, data->data, data->len);
    g_assert_cmpuint(packed->len, <, data->len + data->len / 100);
}

static void expect_failure(const Format *format, int fd, const char *id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) data = make_data(8 * BLOCK, true);
    g_autoptr(BerthCompress) compress = berth_compress_new(fd, format->method, 2, &error);
    bool done = berth_compress_write(compress, data->data, data->len, &error) &&
                berth_compress_finish(compress, &error);
    g_assert_false(done);
    g_assert_cmpstr(berth_error_id(error), ==, id);
}

static void test_case_52_output(gconstpointer user_data)
{
    const Format *format = user_data;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    expect_failure(format, full, "export.write.no-space");
    close(full);

    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    close(ends[0]);
    expect_failure(format, ends[1], "export.write.closed");
    close(ends[1]);
}

static gpointer drain(gpointer user_data)
{
    GByteArray *all = g_byte_array_new();
    guint8 buffer[3000];
    for (ssize_t got; (got = read(GPOINTER_TO_INT(user_data), buffer, sizeof(buffer))) > 0;)
        g_byte_array_append(all, buffer, (guint)got);
    return all;
}

/* A non-blocking pipe gets all bytes, too. */
static void test_nonblocking(void)
{
    g_autoptr(GError) error = NULL;
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    GThread *reader = g_thread_new("reader", drain, GINT_TO_POINTER(ends[0]));
    g_autoptr(GByteArray) data = make_data(4 * STAGE, true);
    g_autoptr(BerthCompress) compress =
        berth_compress_new(ends[1], BERTH_COMPRESSION_NONE, 1, &error);
    g_assert_true(berth_compress_write(compress, data->data, data->len, &error));
    g_assert_true(berth_compress_finish(compress, &error));
    close(ends[1]);
    g_autoptr(GByteArray) got = g_thread_join(reader);
    g_assert_cmpmem(got->data, got->len, data->data, data->len);
    close(ends[0]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    static const struct {
        const char *name;
        GTestDataFunc func;
    } tests[] = {{"sizes", test_sizes},
                 {"threads", test_threads},
                 {"noise", test_noise},
                 {"case-52-output", test_case_52_output}};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        for (gsize j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *name =
                g_strdup_printf("/disk/compress/%s/%s", formats[i].name, tests[j].name);
            g_test_add_data_func(name, &formats[i], tests[j].func);
        }
    g_test_add_func("/disk/compress/nonblocking", test_nonblocking);
    return g_test_run();
}
