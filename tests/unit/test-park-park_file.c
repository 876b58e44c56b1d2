/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "base/error.h"
#include "base/fd.h"
#include "park/park_file.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

typedef struct {
    char *directory, *disk, *path;
    int memory;
    gint progress;
    BerthParked parked;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = g_dir_make_tmp("park-XXXXXX", NULL);
    fixture->disk = files_make(fixture->directory, "disk");
    fixture->path = berth_park_path(fixture->disk);
    fixture->memory = memfd_create("memory", MFD_CLOEXEC);
    fixture->parked.state = g_bytes_new_static("state", 5);
    fixture->parked.life = g_bytes_new_static("its life", 8);
    memset(fixture->parked.identity.digests, 'i', sizeof(fixture->parked.identity.digests));
    g_assert_cmpint(ftruncate(fixture->memory, 16 << 20), ==, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_fd_close(&fixture->memory);
    berth_parked_clear(&fixture->parked);
    files_remove(fixture->directory);
    g_free(fixture->path);
    g_free(fixture->disk);
    g_free(fixture->directory);
}

static void fill(int fd, guint page, guint pages, guint8 byte)
{
    g_autofree guint8 *bytes = g_malloc(PAGE);
    memset(bytes, byte, PAGE);
    for (guint i = 0; i < pages; i++)
        g_assert_cmpint(pwrite(fd, bytes, PAGE, (off_t)(page + i) * PAGE), ==, PAGE);
}

/* Free with g_bytes_unref. */
static GBytes *contents(int fd)
{
    struct stat st;
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    guint8 *bytes = g_malloc0((gsize)st.st_size);
    g_assert_cmpint(pread(fd, bytes, (gsize)st.st_size, 0), ==, st.st_size);
    return g_bytes_new_take(bytes, (gsize)st.st_size);
}

static guint64 write_parked(Fixture *fixture)
{
    guint64 size = 0;
    g_autoptr(GError) error = NULL;
    fixture->progress = BERTH_PARK_WRITING;
    bool done = berth_park_write(fixture->disk, &fixture->parked, fixture->memory,
                                 &fixture->progress, &size, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    g_assert_cmpint(fixture->progress, ==, BERTH_PARK_APPEARS);
    return size;
}

/* The id of the error of reading it all, or "". *@ret_memory is its memory; -1: none. */
static const char *read_parked(Fixture *fixture, BerthParked *ret_parked, int *ret_memory)
{
    g_autoptr(GError) error = NULL;
    berth_autofd int memory = memfd_create("loaded", MFD_CLOEXEC);
    berth_autofd int fd = berth_park_open(fixture->disk, ret_parked, &error);
    *ret_memory = -1;
    if (fd >= 0 && berth_park_load(fd, fixture->path, memory, &error))
        *ret_memory = berth_fd_steal(&memory);
    return error != NULL ? berth_error_id(error) : "";
}

static void assert_same(Fixture *fixture)
{
    g_auto(BerthParked) found = {0};
    berth_autofd int memory = -1;
    g_assert_cmpstr(read_parked(fixture, &found, &memory), ==, "");
    g_autoptr(GBytes) before = contents(fixture->memory);
    g_autoptr(GBytes) after = contents(memory);
    g_assert_true(g_bytes_equal(before, after));
    g_assert_true(g_bytes_equal(found.state, fixture->parked.state));
    g_assert_true(g_bytes_equal(found.life, fixture->parked.life));
    g_assert_cmpmem(&found.identity, sizeof(found.identity), &fixture->parked.identity,
                    sizeof(found.identity));
    g_assert_cmpuint(found.memory_size, ==, g_bytes_get_size(before));
    g_assert_false(found.with_memory);
}

static void assert_nothing_left(Fixture *fixture)
{
    g_autoptr(GDir) directory = g_dir_open(fixture->directory, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(directory), ==, "disk");
    g_assert_null(g_dir_read_name(directory));
    g_assert_false(berth_park_exists(fixture->disk));
}

static void test_memory_is_the_same(Fixture *fixture, gconstpointer data)
{
    fill(fixture->memory, 3, 2, 1);
    fill(fixture->memory, 700, 600, 2);
    write_parked(fixture);
    g_assert_true(berth_park_exists(fixture->disk));
    assert_same(fixture);
    g_assert_true(berth_park_remove(fixture->disk));
    g_assert_true(berth_park_remove(fixture->disk));
    assert_nothing_left(fixture);
}

static void test_empty_memory(Fixture *fixture, gconstpointer data)
{
    write_parked(fixture);
    assert_same(fixture);
}

/* Holes, zero pages and others in any order. */
static void test_any_memory_is_the_same(Fixture *fixture, gconstpointer data)
{
    for (guint32 seed = 0; seed < 100; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        g_assert_cmpint(ftruncate(fixture->memory, 0), ==, 0);
        g_assert_cmpint(ftruncate(fixture->memory, 3 << 20), ==, 0);
        for (guint page = 0; page < 740;) {
            guint pages = (guint)g_rand_int_range(random, 1, 28);
            gint32 kind = g_rand_int_range(random, 0, 3);
            if (kind > 0)
                fill(fixture->memory, page, pages, kind == 1 ? 0 : (guint8)(page % 255 + 1));
            page += pages;
        }
        write_parked(fixture);
        assert_same(fixture);
    }
}

/* Also by a file that has been bound to another disk since. */
static void test_size_of_the_machine(Fixture *fixture, gconstpointer data)
{
    BerthMachineSize size;
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_park_read_size(fixture->disk, &size));
    write_parked(fixture); /* which does not know it */
    g_assert_false(berth_park_read_size(fixture->disk, &size));
    fixture->parked.machine = (BerthMachineSize){0, G_GUINT64_CONSTANT(5) << 30, 3, 2};
    write_parked(fixture);
    for (guint i = 0; i < 2; i++) {
        g_assert_true(berth_park_read_size(fixture->disk, &size));
        g_assert_cmpuint(size.memory_wanted, ==, 0);
        g_assert_cmpuint(size.memory, ==, G_GUINT64_CONSTANT(5) << 30);
        g_assert_cmpuint(size.cpus_wanted, ==, 3);
        g_assert_cmpuint(size.cpus, ==, 2);
        g_assert_true(berth_park_bind(fixture->disk, &fixture->parked.identity, &error));
        g_assert_no_error(error);
    }
    assert_same(fixture);
}

static void test_zero_pages_take_no_room(Fixture *fixture, gconstpointer data)
{
    fill(fixture->memory, 0, 3000, 0);
    fill(fixture->memory, 1000, 10, 7);
    g_assert_cmpuint(write_parked(fixture), <, 16 * PAGE);
    struct stat st;
    g_assert_cmpint(stat(fixture->path, &st), ==, 0);
    g_assert_cmpint(st.st_blocks * 512, <, 20 * PAGE);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void test_state_with_the_memory(Fixture *fixture, gconstpointer data)
{
    g_auto(BerthParked) found = {0};
    berth_autofd int memory = -1;
    fill(fixture->memory, 0, 100, 1);
    fixture->parked.with_memory = true;
    g_assert_cmpuint(write_parked(fixture), <, 2 * PAGE);
    g_assert_cmpstr(read_parked(fixture, &found, &memory), ==, "");
    g_assert_true(found.with_memory);
}

static void test_memory_elsewhere(Fixture *fixture, gconstpointer data)
{
    g_auto(BerthParked) found = {0};
    berth_autofd int memory = -1;
    fill(fixture->memory, 0, 100, 1);
    fixture->parked.is_elsewhere = true;
    g_assert_cmpuint(write_parked(fixture), <, 2 * PAGE);
    g_assert_cmpstr(read_parked(fixture, &found, &memory), ==, "park.elsewhere");
    g_assert_true(found.is_elsewhere);
    g_assert_cmpuint(found.memory_size, ==, 16 << 20);
}

static const char *error_of_writing(Fixture *fixture)
{
    guint64 size = 0;
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_park_write(fixture->disk, &fixture->parked, fixture->memory,
                                    &fixture->progress, &size, &error));
    return berth_error_id(error);
}

static void test_cancelled(Fixture *fixture, gconstpointer data)
{
    fill(fixture->memory, 0, 100, 1);
    g_atomic_int_set(&fixture->progress, BERTH_PARK_CANCELLED);
    g_assert_cmpstr(error_of_writing(fixture), ==, "park.cancelled");
    assert_nothing_left(fixture);
}

static void test_no_room(Fixture *fixture, gconstpointer data)
{
    struct rlimit before, limit;
    fill(fixture->memory, 0, 100, 1);
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
    limit = before;
    limit.rlim_cur = 50 * PAGE;
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    g_assert_cmpstr(error_of_writing(fixture), ==, "park.write.too-big");
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
    assert_nothing_left(fixture);
}

static void test_no_directory(Fixture *fixture, gconstpointer data)
{
    g_free(fixture->disk);
    fixture->disk = g_build_filename(fixture->directory, "no", "disk", NULL);
    g_assert_cmpstr(error_of_writing(fixture), ==, "park.write.missing");
}

static void test_unfinished_of_a_killed_keeper(Fixture *fixture, gconstpointer data)
{
    g_autofree char *unfinished = g_strconcat(fixture->disk, ".parking", NULL);
    files_write(unfinished, "half");
    g_assert_false(berth_park_exists(fixture->disk));
    write_parked(fixture);
    assert_same(fixture);
    files_write(unfinished, "half");
    g_assert_true(berth_park_remove(fixture->disk));
    assert_nothing_left(fixture);
}

static void assert_refused(Fixture *fixture, const char *id)
{
    g_auto(BerthParked) found = {0};
    berth_autofd int memory = -1;
    g_assert_cmpstr(read_parked(fixture, &found, &memory), ==, id);
}

static void test_nothing_parked(Fixture *fixture, gconstpointer data)
{
    assert_refused(fixture, "park.read.missing");
}

static void test_cut(Fixture *fixture, gconstpointer data)
{
    fill(fixture->memory, 5, 4, 1);
    guint64 size = write_parked(fixture);
    for (guint64 left = 0; left < size; left += left < PAGE ? 500 : 5000) {
        g_assert_cmpint(truncate(fixture->path, (off_t)left), ==, 0);
        assert_refused(fixture, "park.damaged");
        write_parked(fixture);
    }
    g_assert_cmpint(truncate(fixture->path, (off_t)size + 1), ==, 0);
    assert_refused(fixture, "park.damaged");
}

/* Change one byte at @at of the file. */
static void damage(Fixture *fixture, guint64 at)
{
    guint8 byte;
    berth_autofd int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(pread(fd, &byte, 1, (off_t)at), ==, 1);
    byte ^= 1;
    g_assert_cmpint(pwrite(fd, &byte, 1, (off_t)at), ==, 1);
}

static void test_any_byte_that_changes_is_found(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    fill(fixture->memory, 5, 4, 1);
    guint64 size = write_parked(fixture);
    for (guint i = 0; i < 2000; i++) {
        guint64 at = i < 64 ? i : (guint64)g_rand_int_range(random, 0, (gint32)size);
        damage(fixture, at);
        assert_refused(fixture, "park.damaged");
        damage(fixture, at);
    }
    assert_same(fixture);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"size-of-the-machine", test_size_of_the_machine},
        {"memory-is-the-same", test_memory_is_the_same},
        {"empty-memory", test_empty_memory},
        {"any-memory-is-the-same", test_any_memory_is_the_same},
        {"zero-pages-take-no-room", test_zero_pages_take_no_room},
        {"state-with-the-memory", test_state_with_the_memory},
        {"memory-elsewhere", test_memory_elsewhere},
        {"cancelled", test_cancelled},
        {"no-room", test_no_room},
        {"no-directory", test_no_directory},
        {"unfinished-of-a-killed-keeper", test_unfinished_of_a_killed_keeper},
        {"nothing-parked", test_nothing_parked},
        {"cut", test_cut},
        {"any-byte-that-changes-is-found", test_any_byte_that_changes_is_found},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/park/park_file/", tests[i].name, NULL);
        g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
    }
    return g_test_run();
}
