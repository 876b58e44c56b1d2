/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/fd.h"
#include "park/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 4096u /* of the memory: 16 MiB */
#define SIZE  (PAGES * PAGE)
#define SEEDS 1000u

typedef struct {
    int memory;
    guint8 *bytes; /* mapped */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->memory = memfd_create("memory", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fixture->memory, SIZE), ==, 0);
    fixture->bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fixture->memory, 0);
    g_assert_true(fixture->bytes != MAP_FAILED);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    munmap(fixture->bytes, SIZE);
    berth_fd_close(&fixture->memory);
}

static BerthMirror *make(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    BerthMirror *mirror = berth_mirror_new(fixture->memory, G_MAXUINT64, &error);
    g_assert_no_error(error);
    return mirror;
}

static guint64 pass(BerthMirror *mirror)
{
    const gint stop = 0;
    guint64 changed = 0;
    g_autoptr(GError) error = NULL;
    berth_mirror_pass(mirror, &stop, &changed, &error);
    g_assert_no_error(error);
    return changed;
}

static void punch(const Fixture *fixture, guint page, guint pages)
{
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    g_assert_cmpint(fallocate(fixture->memory, mode, (off_t)page * PAGE, (off_t)pages * PAGE), ==,
                    0);
}

/* Read by calls, which fill no hole; and no page of the copy is data that the memory has not. */
static void assert_equal(const Fixture *fixture, const BerthMirror *mirror)
{
    guint8 ours[PAGE], theirs[PAGE];
    for (off_t at = 0; at < SIZE; at += PAGE) {
        g_assert_cmpint(pread(fixture->memory, ours, PAGE, at), ==, PAGE);
        g_assert_cmpint(pread(berth_mirror_copy(mirror), theirs, PAGE, at), ==, PAGE);
        g_assert_cmpmem(ours, PAGE, theirs, PAGE);
        bool hole = lseek(fixture->memory, at, SEEK_DATA) != at;
        bool copied = lseek(berth_mirror_copy(mirror), at, SEEK_DATA) != at;
        g_assert_true(hole == copied);
    }
}

static void test_passes(Fixture *fixture, gconstpointer data)
{
    memset(fixture->bytes + 3 * PAGE, 'a', 700 * PAGE);
    memset(fixture->bytes + 3000 * PAGE, 0, 2 * PAGE); /* data, though zero */
    g_autoptr(BerthMirror) mirror = make(fixture);
    g_assert_cmpuint(pass(mirror), ==, 702 * PAGE);
    assert_equal(fixture, mirror);
    g_assert_cmpuint(pass(mirror), ==, 0);
    fixture->bytes[3 * PAGE] = 'b';         /* the first byte */
    fixture->bytes[701 * PAGE - 1] = 'b';   /* the last of a page */
    fixture->bytes[PAGES * PAGE - 1] = 'b'; /* of the memory: was a hole */
    g_assert_cmpuint(pass(mirror), ==, 3 * PAGE);
    assert_equal(fixture, mirror);
}

static void test_holes(Fixture *fixture, gconstpointer data)
{
    memset(fixture->bytes, 'a', SIZE);
    g_autoptr(BerthMirror) mirror = make(fixture);
    pass(mirror);
    punch(fixture, 0, 5);
    punch(fixture, 511, 600); /* across blocks */
    punch(fixture, PAGES - 1, 1);
    g_assert_cmpuint(pass(mirror), ==, 0);
    assert_equal(fixture, mirror);
    punch(fixture, 0, PAGES);
    g_assert_cmpuint(pass(mirror), ==, 0);
    assert_equal(fixture, mirror);
    memset(fixture->bytes + 512 * PAGE, 'c', PAGE);
    g_assert_cmpuint(pass(mirror), ==, PAGE);
    assert_equal(fixture, mirror);
}

static void change(const Fixture *fixture, GRand *rand)
{
    guint page = (guint)g_rand_int_range(rand, 0, PAGES);
    guint pages = (guint)g_rand_int_range(rand, 1, (gint)MIN(PAGES - page, 64) + 1);
    if (g_rand_boolean(rand))
        punch(fixture, page, pages);
    else
        memset(fixture->bytes + page * PAGE + g_rand_int_range(rand, 0, PAGE),
               g_rand_int_range(rand, 0, 3), (gsize)(pages - 1) * PAGE + 1 - (pages > 1) * PAGE);
}

static void test_random(Fixture *fixture, gconstpointer data)
{
    guint seeds = g_test_slow() ? SEEDS : 20;
    for (guint seed = 0; seed < seeds; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(BerthMirror) mirror = make(fixture);
        for (guint i = 0; i < 4; i++) {
            for (gint n = g_rand_int_range(rand, 0, 40); n > 0; n--)
                change(fixture, rand);
            pass(mirror);
        }
        g_test_message("seed %u", seed);
        assert_equal(fixture, mirror);
    }
}

/* --- a writer --------------------------------------------------------------------------------- */

typedef struct {
    const Fixture *fixture;
    gint ends;
    gint writes;
} Writer;

static gpointer write_on(gpointer user_data)
{
    Writer *writer = user_data;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    while (!g_atomic_int_get(&writer->ends)) {
        change(writer->fixture, rand);
        g_atomic_int_inc(&writer->writes);
    }
    return NULL;
}

/* What was read while it was written is found by the pass after that. */
static void test_while_it_is_written(Fixture *fixture, gconstpointer data)
{
    const gint stop = 0;
    for (guint i = 0; i < 10; i++) {
        Writer writer = {.fixture = fixture};
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthMirror) mirror = make(fixture);
        GThread *thread = g_thread_new("writer", write_on, &writer);
        while (g_atomic_int_get(&writer.writes) == 0)
            g_thread_yield();
        berth_mirror_follow(mirror, &stop, &error); /* ends, however much is written */
        g_assert_no_error(error);
        g_atomic_int_set(&writer.ends, 1);
        g_thread_join(thread);
        pass(mirror);
        assert_equal(fixture, mirror);
    }
}

/* --- what can go wrong ------------------------------------------------------------------------ */

static void test_room(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    memset(fixture->bytes, 'a', SIZE);
    g_assert_null(berth_mirror_new(fixture->memory, SIZE - 1, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "park.memory");
    g_assert_true(berth_error_is(error, BERTH_ERROR_NO_SPACE));
    g_autoptr(BerthMirror) mirror = berth_mirror_new(fixture->memory, SIZE, NULL);
    g_assert_nonnull(mirror);
}

static void test_stop(Fixture *fixture, gconstpointer data)
{
    const gint stop = 1;
    guint64 changed;
    g_autoptr(GError) error = NULL;
    memset(fixture->bytes, 'a', SIZE);
    g_autoptr(BerthMirror) mirror = make(fixture);
    g_assert_false(berth_mirror_pass(mirror, &stop, &changed, &error));
    g_assert_nonnull(error);
    g_assert_cmpuint(pass(mirror), ==, SIZE); /* it can go on */
    assert_equal(fixture, mirror);
}

static void test_full(Fixture *fixture, gconstpointer data)
{
    const gint stop = 0;
    struct rlimit before, limit;
    g_autoptr(GError) error = NULL;
    guint64 changed;
    memset(fixture->bytes, 'a', SIZE);
    g_autoptr(BerthMirror) mirror = make(fixture);
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
    limit = before;
    limit.rlim_cur = 2 * PAGE;
    setrlimit(RLIMIT_FSIZE, &limit);
    bool done = berth_mirror_pass(mirror, &stop, &changed, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    g_assert_false(done);
    g_assert_cmpstr(berth_error_id(error), ==, "park.write.too-big");
}

static void test_of_another(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthMirror) mirror = make(fixture);
    berth_autofd int other = memfd_create("memory", MFD_CLOEXEC);
    berth_autofd int same = fcntl(fixture->memory, F_DUPFD_CLOEXEC, 0);
    g_assert_cmpint(ftruncate(other, SIZE), ==, 0);
    g_assert_false(berth_mirror_is_of(mirror, other));
    g_assert_true(berth_mirror_is_of(mirror, same));
}

static void test_empty(void)
{
    berth_autofd int memory = memfd_create("memory", MFD_CLOEXEC);
    const Fixture fixture = {.memory = memory};
    g_autoptr(BerthMirror) mirror = make(&fixture);
    g_assert_cmpuint(pass(mirror), ==, 0);
    g_assert_cmpint(ftruncate(memory, PAGE), ==, 0); /* by QEMU */
    g_assert_false(berth_mirror_is_of(mirror, memory));
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/mirror/passes", test_passes);
    ADD("/mirror/holes", test_holes);
    ADD("/mirror/random", test_random);
    ADD("/mirror/while-it-is-written", test_while_it_is_written);
    ADD("/mirror/room", test_room);
    ADD("/mirror/stop", test_stop);
    ADD("/mirror/full", test_full);
    ADD("/mirror/of-another", test_of_another);
    g_test_add_func("/mirror/empty", test_empty);
    return g_test_run();
}
