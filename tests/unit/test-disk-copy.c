/* SPDX-License-Identifier: MIT */
#include "../lib/oracle.h"
#include "base/error.h"
#include "base/fd.h"
#include "disk/file/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  ((off_t)1 << 20)
#define SIZE (300 * MIB + 123)

typedef struct {
    char *directory;
    int input;
} Fixture;

static int new_file(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* Pieces of data at odd places, a long one among them, and a hole at the end. */
static const struct {
    off_t offset, size;
} pieces[] = {{0, 4096}, {MIB + 4096, 20 * MIB + 5}, {100 * MIB, 1}, {299 * MIB, 4096}};

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = oracle_make_directory();
    fixture->input = new_file(fixture->directory);
    g_assert_cmpint(ftruncate(fixture->input, SIZE), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autofree char *bytes = g_malloc((gsize)pieces[i].size);
        for (off_t j = 0; j < pieces[i].size; j++)
            bytes[j] = (char)(j * 31 + j / 4096 + (off_t)i + 1);
        g_assert_cmpint(pwrite(fixture->input, bytes, (gsize)pieces[i].size, pieces[i].offset), ==,
                        pieces[i].size);
    }
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->input);
    oracle_remove_directory(fixture->directory);
}

static void assert_same(int one, int other)
{
    struct stat first, second;
    g_assert_cmpint(fstat(one, &first) | fstat(other, &second), ==, 0);
    g_assert_cmpint(first.st_size, ==, second.st_size);
    g_autofree char *left = g_malloc((gsize)MIB);
    g_autofree char *right = g_malloc((gsize)MIB);
    for (off_t offset = 0; offset < first.st_size; offset += MIB) {
        ssize_t size = pread(one, left, (gsize)MIB, offset);
        g_assert_cmpint(pread(other, right, (gsize)MIB, offset), ==, size);
        g_assert_cmpint(memcmp(left, right, (gsize)size), ==, 0);
    }
    g_assert_cmpint(second.st_blocks, <=, first.st_blocks + 64); /* holes are preserved */
}

static void check_copy(const Fixture *fixture, const char *to)
{
    berth_autofd int output = new_file(to);
    g_autoptr(GError) error = NULL;
    BerthCopyReport report;
    g_assert_true(berth_copy(fixture->input, output, "clone", "disk", NULL, NULL, &report, &error));
    g_assert_no_error(error);
    assert_same(fixture->input, output);
    g_assert_cmpuint(report.bytes, <, 32 * (guint64)MIB);
    g_assert_true(report.shared == (report.bytes == 0));
}

/* The cost that is told before a copy is the number of bytes that the copy writes. */
static void test_measure(Fixture *fixture, gconstpointer data)
{
    berth_autofd int output = new_file("/dev/shm"); /* cannot share blocks */
    BerthCopyReport report;
    guint64 bytes = 0;
    g_assert_false(berth_copy_share(fixture->input, output));
    g_assert_cmpint(lseek(output, 0, SEEK_END), ==, 0);
    g_assert_cmpint(berth_copy_measure(fixture->input, &bytes), ==, 0);
    g_assert_true(berth_copy(fixture->input, output, "clone", "disk", NULL, NULL, &report, NULL));
    g_assert_cmpuint(bytes, ==, report.bytes);
    g_assert_cmpuint(bytes, >=, 20 * (guint64)MIB);
    g_assert_cmpint(berth_copy_measure(-1, &bytes), ==, EBADF);
}

static void test_holes_stay_holes(Fixture *fixture, gconstpointer data)
{
    check_copy(fixture, fixture->directory);
}

static void test_copy_to_another_file_system(Fixture *fixture, gconstpointer data)
{
    if (access("/dev/shm", W_OK) == 0)
        check_copy(fixture, "/dev/shm");
    else
        g_test_skip("no /dev/shm");
}

static void test_an_empty_file(Fixture *fixture, gconstpointer data)
{
    berth_autofd int input = new_file(fixture->directory);
    berth_autofd int output = new_file(fixture->directory);
    g_assert_true(berth_copy(input, output, "clone", "disk", NULL, NULL, NULL, NULL));
    g_assert_cmpint(lseek(output, 0, SEEK_END), ==, 0);
    g_assert_cmpint(ftruncate(input, SIZE), ==, 0);
    g_assert_true(berth_copy(input, output, "clone", "disk", NULL, NULL, NULL, NULL));
    assert_same(input, output);
}

typedef struct {
    guint calls;
    BerthProgress last;
    guint limit; /* calls before it cancels */
} Watch;

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    Watch *watch = user_data;
    g_assert_cmpuint(progress->bytes_done, >=, watch->last.bytes_done);
    g_assert_cmpuint(progress->bytes_done, <=, progress->bytes_total);
    watch->last = *progress;
    return ++watch->calls < watch->limit;
}

static void test_progress_reaches_its_total(Fixture *fixture, gconstpointer data)
{
    berth_autofd int output = new_file("/dev/shm"); /* cannot reflink */
    Watch watch = {.limit = G_MAXUINT};
    g_assert_true(
        berth_copy(fixture->input, output, "clone", "disk", on_progress, &watch, NULL, NULL));
    g_assert_cmpuint(watch.calls, >, 3);
    g_assert_cmpuint(watch.last.bytes_done, ==, watch.last.bytes_total);
}

static void test_cancelled(Fixture *fixture, gconstpointer data)
{
    berth_autofd int output = new_file("/dev/shm");
    Watch watch = {.limit = 2};
    g_autoptr(GError) error = NULL;
    g_assert_false(
        berth_copy(fixture->input, output, "move", "disk", on_progress, &watch, NULL, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_CANCELLED);
    g_assert_cmpstr(berth_error_id(error), ==, "move.cancelled");
}

typedef struct {
    int input;
    off_t size; /* its new size */
} Shortening;

static bool shorten(const BerthProgress *progress, gpointer user_data)
{
    const Shortening *shortening = user_data;
    return ftruncate(shortening->input, shortening->size) == 0;
}

/* Truncated within a data extent, and between two, where the rest looks like a hole. */
static void test_input_is_truncated(Fixture *fixture, gconstpointer data)
{
    const off_t sizes[] = {10 * MIB, 50 * MIB, 0};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        berth_autofd int input = new_file(fixture->directory);
        berth_autofd int output = new_file("/dev/shm"); /* cannot reflink */
        g_assert_true(berth_copy(fixture->input, input, "clone", "disk", NULL, NULL, NULL, NULL));
        Shortening shortening = {input, sizes[i]};
        g_autoptr(GError) error = NULL;
        g_assert_false(
            berth_copy(input, output, "move", "disk", shorten, &shortening, NULL, &error));
        g_assert_true(g_str_has_prefix(berth_error_id(error), "move.copy."));
    }
}

/* A file size limit stands in for a full disk. In a child, since it cannot be raised again. */
static void test_no_space(Fixture *fixture, gconstpointer data)
{
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        const struct rlimit limit = {(rlim_t)(10 * MIB), (rlim_t)(10 * MIB)};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        int output = new_file(fixture->directory);
        g_autoptr(GError) error = NULL;
        bool ok = berth_copy(fixture->input, output, "clone", "disk", NULL, NULL, NULL, &error);
        _exit(!ok && g_str_equal(berth_error_id(error), "clone.copy.too-big") &&
                      g_str_has_prefix(error->message, "copy disk: ")
                  ? 0
                  : 1);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_read_error(Fixture *fixture, gconstpointer data)
{
    berth_autofd int closed = open("/dev/null", O_WRONLY | O_CLOEXEC);
    berth_autofd int directory = open(fixture->directory, O_RDONLY | O_CLOEXEC);
    berth_autofd int output = new_file(fixture->directory);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_copy(directory, output, "clone", "disk", NULL, NULL, NULL, &error));
    g_assert_true(g_str_has_prefix(berth_error_id(error), "clone.copy."));
    g_clear_error(&error);
    g_assert_false(berth_copy(fixture->input, closed, "clone", "disk", NULL, NULL, NULL, &error));
    g_assert_true(g_str_has_prefix(berth_error_id(error), "clone.copy."));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/disk/copy/measure", test_measure},
        {"/disk/copy/holes-stay-holes", test_holes_stay_holes},
        {"/disk/copy/copy-to-another-file-system", test_copy_to_another_file_system},
        {"/disk/copy/an-empty-file", test_an_empty_file},
        {"/disk/copy/progress-reaches-its-total", test_progress_reaches_its_total},
        {"/disk/copy/cancelled", test_cancelled},
        {"/disk/copy/input-is-truncated", test_input_is_truncated},
        {"/disk/copy/no-space", test_no_space},
        {"/disk/copy/read-error", test_read_error},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}
