/* SPDX-License-Identifier: MIT */
#include "disk/archive/stream.h"

#include "../lib/tarball.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const gzip[] = {"gzip", "-c", NULL};
static const char *const xz[] = {"xz", "-c", NULL};
static const char *const zstd[] = {"zstd", "-qc", NULL};
static const char *const bzip2[] = {"bzip2", "-1c", NULL};
static const char *const lz4[] = {"lz4", "-qc", NULL};
static const char *const *const filters[] = {gzip, xz, zstd, bzip2, lz4};

static GByteArray *copy(const void *data, gsize size)
{
    GByteArray *bytes = g_byte_array_new();
    return g_byte_array_append(bytes, data, (guint)size);
}

/* Hardly compressible, so that truncation hits data and not only a header. */
static GByteArray *noise(guint size)
{
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_set_size(bytes, size);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (guint i = 0; i < size; i++)
        bytes->data[i] = (guint8)(g_rand_int(random) >> (i % 3));
    return bytes;
}

static GByteArray *read_stream(BerthStream *stream, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (gsize size = 1; size > 0;) {
        const guint8 *data = NULL;
        if (!berth_stream_read(stream, &data, &size, error))
            return NULL;
        /* only the last block is shorter */
        g_assert_cmpuint(size == 0 ? 0 : bytes->len % BERTH_STREAM_BLOCK, ==, 0);
        g_byte_array_append(bytes, data, (guint)size);
    }
    return g_steal_pointer(&bytes);
}

/* Unpack @packed; NULL with @error. @warnings may be NULL. */
static GByteArray *unpack(const GByteArray *packed, guint *warnings, GError **error)
{
    berth_autofd int fd = tarball_open(packed);
    g_autoptr(BerthStream) stream = berth_stream_open(berth_source_new(fd), "x", error);
    if (stream == NULL)
        return NULL;
    GByteArray *bytes = read_stream(stream, error);
    if (bytes == NULL)
        return NULL;
    g_assert_cmpuint(berth_stream_position(stream), ==, packed->len);
    const GPtrArray *said = berth_stream_warnings(stream);
    for (guint i = 0; i < said->len; i++)
        g_assert_true(
            g_str_has_prefix(g_ptr_array_index(said, i), "x: the data after the end of the "));
    if (warnings != NULL)
        *warnings = said->len;
    return bytes;
}

static void expect(const GByteArray *packed, const GByteArray *wanted, guint warnings)
{
    g_autoptr(GError) error = NULL;
    guint said = 0;
    g_autoptr(GByteArray) got = unpack(packed, &said, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(got->data, got->len, wanted->data, wanted->len);
    g_assert_cmpuint(said, ==, warnings);
}

static void expect_error(const GByteArray *packed, const char *id, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = unpack(packed, NULL, &error);
    g_assert_null(got);
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
    g_assert_nonnull(berth_error_hint(error));
    if (strstr(error->message, message) == NULL)
        g_error("no \"%s\" in \"%s\"", message, error->message);
}

/* --- 43: concatenated parts --- */

static void test_parts(void)
{
    g_autoptr(GByteArray) nothing = g_byte_array_new();
    g_autoptr(GByteArray) whole = noise(1300000);
    expect(whole, whole, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) head = copy(whole->data, 700001);
        g_autoptr(GByteArray) tail = copy(whole->data + 700001, whole->len - 700001);
        g_autoptr(GByteArray) packed = tarball_filter(head, filters[i]);
        g_autoptr(GByteArray) middle = tarball_filter(nothing, filters[i]);
        g_autoptr(GByteArray) last = tarball_filter(tail, filters[i]);
        g_byte_array_append(packed, middle->data, middle->len);
        g_byte_array_append(packed, last->data, last->len);
        expect(packed, whole, 0);
        expect(middle, nothing, 0);
    }
}

static void test_blocks(void)
{
    static const char *const small_blocks[] = {"xz", "-c", "-T2", "--block-size=100KiB", NULL};
    static const char *const unchecked[] = {"xz", "-c", "--check=none", NULL};
    static const char *const crc32[] = {"xz", "-c", "--check=crc32", NULL};
    static const char *const sha256[] = {"xz", "-c", "--check=sha256", NULL};
    static const char *const wide[] = {"zstd", "-qc", "--long=27", NULL};
    static const char *const *const ways[] = {small_blocks, unchecked, crc32, sha256, wide};
    g_autoptr(GByteArray) whole = noise(1200000);
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(whole, ways[i]);
        expect(packed, whole, 0);
    }
    g_autoptr(GByteArray) damaged = tarball_filter(whole, small_blocks);
    damaged->data[damaged->len / 2] ^= 1;
    expect_error(damaged, "import.read.damaged", "the xz data is damaged");
}

static void test_skippable_frames(void)
{
    static const guint8 frame[] = {0x5f, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'n', 'o', 't', 'e'};
    g_autoptr(GByteArray) whole = noise(5000);
    static const char *const *const both[] = {zstd, lz4};
    for (gsize i = 0; i < G_N_ELEMENTS(both); i++) {
        g_autoptr(GByteArray) part = tarball_filter(whole, both[i]);
        g_autoptr(GByteArray) packed = copy(part->data, part->len);
        g_byte_array_append(packed, frame, sizeof(frame));
        g_byte_array_append(packed, part->data, part->len);
        g_autoptr(GByteArray) twice = copy(whole->data, whole->len);
        g_byte_array_append(twice, whole->data, whole->len);
        expect(packed, twice, 0);
    }
    g_autoptr(GByteArray) part = tarball_filter(whole, zstd);
    g_autoptr(GByteArray) packed = copy(frame, sizeof(frame));
    g_byte_array_append(packed, part->data, part->len);
    expect(packed, whole, 0);
}

/* --- 41: zeros are silent, other bytes give a warning --- */

static void test_trailing_bytes(void)
{
    static const guint8 zeros[100001];
    g_autoptr(GByteArray) whole = noise(5000);
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(whole, filters[i]);
        g_byte_array_append(packed, zeros, sizeof(zeros));
        expect(packed, whole, 0);
        g_autoptr(GByteArray) again = tarball_filter(whole, filters[i]);
        g_autoptr(GByteArray) padded = copy(packed->data, packed->len);
        g_byte_array_append(padded, again->data, again->len);
        g_autoptr(GByteArray) twice = copy(whole->data, whole->len);
        g_byte_array_append(twice, whole->data, whole->len);
        expect(padded, twice, 0);
        g_byte_array_append(packed, (const guint8 *)"garbage", 7);
        g_byte_array_append(packed, zeros, sizeof(zeros));
        expect(packed, whole, 1);
    }
}

/* --- 44: truncated and corrupted --- */

static void test_truncated(void)
{
    g_autoptr(GByteArray) whole = noise(300000);
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(whole, filters[i]);
        const guint sizes[] = {20, packed->len / 2, packed->len - 4, packed->len - 1};
        for (gsize j = 0; j < G_N_ELEMENTS(sizes); j++) {
            g_autoptr(GByteArray) cut = copy(packed->data, sizes[j]);
            g_autofree char *words = g_strdup_printf("the %s data ends too early", filters[i][0]);
            expect_error(cut, "import.read.truncated", words);
        }
    }
}

static void test_changed(void)
{
    g_autoptr(GByteArray) whole = noise(300000);
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(whole, filters[i]);
        for (guint part = 1; part < 8; part++) {
            packed->data[packed->len / 8 * part] ^= 0x40;
            expect_error(packed, "import.read.damaged", filters[i][0]);
            packed->data[packed->len / 8 * part] ^= 0x40;
        }
    }
}

static void test_gzip_trailer(void)
{
    g_autoptr(GByteArray) whole = noise(300000);
    g_autoptr(GByteArray) packed = tarball_filter(whole, gzip);
    for (guint i = 1; i <= 8; i++) {
        g_autoptr(GByteArray) bad = copy(packed->data, packed->len);
        bad->data[bad->len - i] ^= 1;
        expect_error(bad, "import.read.damaged", "its checksum or length is wrong");
        g_byte_array_append(bad, packed->data, packed->len); /* not only of the last member */
        expect_error(bad, "import.read.damaged", "its checksum or length is wrong");
    }
}

/* --- 51: memory limits --- */

static void test_limits(void)
{
    static const char *const huge_xz[] = {"xz", "-c", "--lzma2=dict=300MiB", NULL};
    static const char *const large_xz[] = {"xz", "-c", "--lzma2=dict=128MiB", NULL};
    static const char *const huge_zstd[] = {"zstd", "-qc", "--long=28", NULL};
    g_autoptr(GByteArray) whole = noise(3000);
    g_autoptr(GByteArray) fits = tarball_filter(whole, large_xz);
    expect(fits, whole, 0);
    g_autoptr(GByteArray) too_large = tarball_filter(whole, huge_xz);
    expect_error(too_large, "import.read.too-large", "the xz data needs too much memory");
    g_autoptr(GByteArray) too_wide = tarball_filter(whole, huge_zstd);
    expect_error(too_wide, "import.read.too-large", "the zstd data needs too much memory");

    /* An undefined check type cannot be verified. */
    static const guint8 header[] = {0, 0x0f, 0x6e, 0x0f, 0x66, 0xd1};
    memcpy(fits->data + 6, header, sizeof(header));
    expect_error(fits, "import.read.unsupported", "the xz data uses a feature");
}

/* --- sources --- */

typedef struct {
    int fd;
    const GByteArray *bytes;
    bool leave_open;
} Writer;

static gpointer write_slowly(gpointer data)
{
    Writer *writer = data;
    for (gsize done = 0; done < writer->bytes->len;) {
        gsize size = MIN(7001, writer->bytes->len - done);
        g_assert_cmpint(berth_fd_write_all(writer->fd, writer->bytes->data + done, size), ==, 0);
        done += size;
    }
    if (!writer->leave_open)
        close(writer->fd);
    return NULL;
}

static void nothing(int signal)
{
}

/* Pipes and sockets, blocking or not, while signals interrupt every wait. */
static void test_pipes_and_signals(void)
{
    g_autoptr(GByteArray) whole = noise(2500000);
    const struct sigaction action = {.sa_handler = nothing};
    const struct itimerval often = {{0, 300}, {0, 300}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    for (guint i = 0; i < 4; i++) {
        int ends[2];
        int made = i < 2 ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        g_assert_cmpint(made, ==, 0);
        berth_fd_set_nonblocking(ends[0], i % 2 == 1);
        Writer writer = {.fd = ends[1], .bytes = whole};
        setitimer(ITIMER_REAL, &often, NULL);
        GThread *thread = g_thread_new("writer", write_slowly, &writer);
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthStream) stream = berth_stream_open(berth_source_new(ends[0]), "x", &error);
        g_autoptr(GByteArray) got = read_stream(stream, &error);
        setitimer(ITIMER_REAL, &never, NULL);
        g_assert_no_error(error);
        g_assert_cmpmem(got->data, got->len, whole->data, whole->len);
        g_thread_join(thread);
        close(ends[0]);
    }
}

/* The suite's time limit ends the program if it blocks. */
static void test_free_does_not_wait_for_input(void)
{
    g_autoptr(GByteArray) bytes = noise(BERTH_STREAM_BLOCK + 100);
    for (gsize i = 0; i <= G_N_ELEMENTS(filters); i++) {
        bool plain = i == G_N_ELEMENTS(filters);
        g_autoptr(GByteArray) packed =
            plain ? copy(bytes->data, bytes->len) : tarball_filter(bytes, filters[i]);
        g_autofree guint8 *again = g_memdup2(packed->data, 100); /* the array moves as it grows */
        g_byte_array_append(packed, again, 100);
        int ends[2];
        g_assert_cmpint(pipe(ends), ==, 0);
        Writer writer = {.fd = ends[1], .bytes = packed, .leave_open = true};
        GThread *thread = g_thread_new("writer", write_slowly, &writer);
        BerthStream *stream = berth_stream_open(berth_source_new(ends[0]), "x", NULL);
        const guint8 *data = NULL;
        gsize size = 0;
        g_assert_true(berth_stream_read(stream, &data, &size, NULL));
        g_assert_cmpuint(size, ==, BERTH_STREAM_BLOCK);
        g_thread_join(thread); /* all input was consumed; it waits for more */
        berth_stream_free(stream);
        close(ends[0]);
        close(ends[1]);
    }
}

static void test_free_with_a_full_ring(void)
{
    g_autoptr(GByteArray) bytes = noise(12 * BERTH_STREAM_BLOCK);
    berth_autofd int fd = tarball_open(bytes);
    BerthStream *stream = berth_stream_open(berth_source_new(fd), "x", NULL);
    const guint8 *data = NULL;
    gsize size = 0;
    g_assert_true(berth_stream_read(stream, &data, &size, NULL));
    g_assert_cmpmem(data, size, bytes->data, BERTH_STREAM_BLOCK);
    berth_stream_free(stream);
}

static void test_ranges(void)
{
    g_autoptr(GByteArray) whole = noise(3 * BERTH_STREAM_BLOCK);
    berth_autofd int fd = tarball_open(whole);
    g_assert_cmpint(lseek(fd, 12345, SEEK_SET), ==, 12345);
    static const gsize ranges[][2] = {{0, 100}, {5, 2 * BERTH_STREAM_BLOCK}, {70, 0}};
    BerthStream *streams[G_N_ELEMENTS(ranges)];
    for (gsize i = 0; i < G_N_ELEMENTS(ranges); i++) {
        BerthSource *source = berth_source_new_range(fd, ranges[i][0], ranges[i][1]);
        streams[i] = berth_stream_open(source, "x", NULL);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_autoptr(GByteArray) got = read_stream(streams[i], NULL);
        g_assert_cmpmem(got->data, got->len, whole->data + ranges[i][0], ranges[i][1]);
        berth_stream_free(streams[i]);
    }
    g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, 12345);

    g_autoptr(GError) error = NULL;
    BerthSource *beyond = berth_source_new_range(fd, whole->len - 10, 11);
    g_autoptr(BerthStream) stream = berth_stream_open(beyond, "x", &error);
    g_assert_null(stream);
    g_assert_cmpstr(berth_error_id(error), ==, "import.read.truncated");
}

static void tap_bytes(const guint8 *data, gsize size, gpointer user_data)
{
    g_byte_array_append(user_data, data, (guint)size);
}

static void test_taps_get_every_byte(void)
{
    g_autoptr(GByteArray) whole = noise(2500000);
    g_autoptr(GByteArray) packed = tarball_filter(whole, gzip);
    g_byte_array_append(packed, whole->data, 700000); /* trailing bytes count too */
    g_autoptr(GByteArray) in = g_byte_array_new();
    g_autoptr(GByteArray) out = g_byte_array_new();
    berth_autofd int fd = tarball_open(packed);
    BerthSource *source = berth_source_new(fd);
    berth_source_set_tap(source, tap_bytes, in);
    g_autoptr(BerthStream) stream = berth_stream_open(source, "x", NULL);
    berth_stream_set_tap(stream, tap_bytes, out);
    g_autoptr(GByteArray) got = read_stream(stream, NULL);
    g_assert_cmpmem(in->data, in->len, packed->data, packed->len);
    g_assert_cmpmem(out->data, out->len, whole->data, whole->len);
    g_assert_cmpmem(got->data, got->len, whole->data, whole->len);
}

/* Make read() return this error from now on, also in new threads. */
static void break_reads(guint32 errnum)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_read, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = G_N_ELEMENTS(code), .filter = code};
    g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
    g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

static void test_broken_disk(void)
{
    g_autoptr(GByteArray) bytes = noise(3000000);
    berth_autofd int fd = tarball_open(bytes);
    pid_t child = fork();
    if (child == 0) {
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthStream) stream = berth_stream_open(berth_source_new(fd), "x", NULL);
        break_reads(EIO);
        g_autoptr(GByteArray) got = read_stream(stream, &error);
        bool right = got == NULL && strcmp(berth_error_id(error), "import.read.io") == 0 &&
                     strcmp(error->message, "read the archive: input/output error") == 0;
        _exit(right ? 0 : 1);
    }
    int status = -1;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);

    g_autoptr(GError) error = NULL;
    berth_autofd int directory = open("/", O_RDONLY | O_CLOEXEC);
    g_autoptr(BerthStream) stream = berth_stream_open(berth_source_new(directory), "x", &error);
    g_assert_null(stream);
    g_assert_cmpstr(error->message, ==, "read the archive: is a directory");
}

static void test_peek(void)
{
    g_autoptr(GByteArray) plain = noise(3 * BERTH_STREAM_BLOCK / 2);
    g_autoptr(GByteArray) packed = tarball_filter(plain, gzip);
    berth_autofd int fd = tarball_open(packed);
    g_autoptr(BerthStream) stream = berth_stream_open(berth_source_new(fd), "x", NULL);
    const guint8 *data = NULL;
    gsize size = 0;
    for (guint i = 0; i < 3; i++) {
        g_assert_true(berth_stream_peek(stream, &data, &size, NULL));
        g_assert_cmpmem(data, size, plain->data, BERTH_STREAM_BLOCK);
    }
    g_autoptr(GByteArray) bytes = read_stream(stream, NULL);
    g_assert_cmpmem(bytes->data, bytes->len, plain->data, plain->len);
    g_assert_true(berth_stream_peek(stream, &data, &size, NULL));
    g_assert_cmpuint(size, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/stream/case-43-parts", test_parts);
    g_test_add_func("/disk/stream/case-43-blocks", test_blocks);
    g_test_add_func("/disk/stream/case-43-skippable-frames", test_skippable_frames);
    g_test_add_func("/disk/stream/case-41-trailing-bytes", test_trailing_bytes);
    g_test_add_func("/disk/stream/case-44-truncated", test_truncated);
    g_test_add_func("/disk/stream/case-44-changed", test_changed);
    g_test_add_func("/disk/stream/case-44-gzip-trailer", test_gzip_trailer);
    g_test_add_func("/disk/stream/case-51-limits", test_limits);
    g_test_add_func("/disk/stream/case-52-pipes-and-signals", test_pipes_and_signals);
    g_test_add_func("/disk/stream/case-52-broken-disk", test_broken_disk);
    g_test_add_func("/disk/stream/free-does-not-wait-for-input", test_free_does_not_wait_for_input);
    g_test_add_func("/disk/stream/free-with-a-full-ring", test_free_with_a_full_ring);
    g_test_add_func("/disk/stream/ranges", test_ranges);
    g_test_add_func("/disk/stream/peek", test_peek);
    g_test_add_func("/disk/stream/taps-get-every-byte", test_taps_get_every_byte);
    return g_test_run();
}
