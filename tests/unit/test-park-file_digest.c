/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "base/error.h"
#include "park/file_digest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS (2 * BERTH_SHA256_SIZE)

typedef struct {
    char *directory;
    char *cache;
    char *file;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = g_dir_make_tmp("digest-XXXXXX", NULL);
    fixture->cache = g_build_filename(fixture->directory, "cache", NULL);
    fixture->file = files_make(fixture->directory, "file");
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    files_remove(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture->cache);
    g_free(fixture->file);
}

/* What is known once the file is old enough for that. */
static char *settled(const Fixture *fixture)
{
    char *known;
    while ((known = berth_file_digest_known(fixture->file, fixture->cache)) == NULL)
        g_usleep(1000);
    return known;
}

static void assert_digest(const Fixture *fixture, char **known, const char *contents)
{
    guint8 digest[BERTH_SHA256_SIZE], expected[BERTH_SHA256_SIZE];
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    berth_sha256_update(sha256, contents, strlen(contents));
    berth_sha256_digest(sha256, expected);
    g_assert_true(berth_file_digest(fixture->file, known, digest, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(digest, sizeof(digest), expected, sizeof(expected));
}

/* The only entry of the cache. Free with g_free. */
static char *entry(const Fixture *fixture)
{
    g_autofree char *directory = g_build_filename(fixture->cache, "digests", NULL);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_assert_nonnull(dir);
    char *path = g_build_filename(directory, g_dir_read_name(dir), NULL);
    g_assert_null(g_dir_read_name(dir));
    return path;
}

static char *contents_of(const char *path)
{
    char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/* Whether the file itself need not be read shows in the use of a digest that is not its own. */
static void test_known_is_used(Fixture *fixture, gconstpointer data)
{
    guint8 digest[BERTH_SHA256_SIZE], none[BERTH_SHA256_SIZE] = {0};
    g_autofree char *known = settled(fixture);
    memset(known + strlen(known) - DIGITS, '0', DIGITS);
    g_assert_true(berth_file_digest(fixture->file, (char *[]){known, NULL}, digest, NULL));
    g_assert_cmpmem(digest, sizeof(digest), none, sizeof(none));
    assert_digest(fixture, NULL, "file");
}

static void test_cache(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = settled(fixture);
    g_autofree char *path = entry(fixture);
    g_autofree char *written = contents_of(path);
    g_autofree char *second = berth_file_digest_known(fixture->file, fixture->cache);
    g_autofree char *again = contents_of(path);
    g_assert_cmpstr(first, ==, second);
    g_assert_cmpstr(written, ==, again);
    assert_digest(fixture, (char *[]){second, NULL}, "file");
}

/* The time of the last write may be set back; that of the last change to the file may not. */
static void test_written(Fixture *fixture, gconstpointer data)
{
    struct stat st;
    g_autofree char *known = settled(fixture);
    g_assert_cmpint(stat(fixture->file, &st), ==, 0);
    int fd = open(fixture->file, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(pwrite(fd, "FILE", 4, 0), ==, 4);
    g_assert_cmpint(futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim}), ==, 0);
    g_assert_cmpint(close(fd), ==, 0);
    assert_digest(fixture, (char *[]){known, NULL}, "FILE");
    g_autofree char *next = settled(fixture);
    g_assert_cmpstr(next, !=, known);
    assert_digest(fixture, (char *[]){next, NULL}, "FILE");
    g_free(entry(fixture)); /* there is still one */
}

static void test_replaced(Fixture *fixture, gconstpointer data)
{
    g_autofree char *known = settled(fixture);
    g_autofree char *other = files_make(fixture->directory, "other");
    g_assert_cmpint(rename(other, fixture->file), ==, 0);
    assert_digest(fixture, (char *[]){known, NULL}, "other");
}

/* Whatever is in the cache, the digest is right. */
static void test_bad_entries(Fixture *fixture, gconstpointer data)
{
    g_autofree char *known = settled(fixture);
    g_autofree char *path = entry(fixture);
    g_autofree char *good = contents_of(path);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    for (guint i = 0; i < 60; i++) {
        g_autofree char *bad = g_strdup(good);
        bad[g_rand_int_range(rand, 0, (gint)strlen(good))] ^= (char)g_rand_int_range(rand, 1, 128);
        gssize size = i % 3 == 0 ? g_rand_int_range(rand, 0, (gint)strlen(good)) : -1;
        g_assert_true(g_file_set_contents(path, bad, size, NULL));
        g_autofree char *found = berth_file_digest_known(fixture->file, fixture->cache);
        g_assert_cmpstr(found, ==, known);
    }
    g_autofree char *healed = contents_of(path);
    g_assert_cmpstr(healed, ==, good);
}

/* A digest that fits another file, and a name that leads elsewhere. */
static void test_foreign_entries(Fixture *fixture, gconstpointer data)
{
    g_autofree char *known = settled(fixture);
    g_autofree char *path = entry(fixture);
    g_autofree char *good = contents_of(path);
    g_autofree char *other = files_make(fixture->directory, "other");
    g_autofree char *target = files_make(fixture->directory, "target");
    g_assert_true(g_file_set_contents(target, good, -1, NULL));
    g_assert_cmpint(rename(other, fixture->file), ==, 0);
    assert_digest(fixture, (char *[]){known, NULL}, "other");
    g_autofree char *next = settled(fixture);
    assert_digest(fixture, (char *[]){next, NULL}, "other");
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(symlink(target, path), ==, 0);
    g_autofree char *found = berth_file_digest_known(fixture->file, fixture->cache);
    g_assert_cmpstr(found, ==, next);
    g_autofree char *kept = contents_of(target);
    g_assert_cmpstr(kept, ==, good);
}

static void test_no_cache(Fixture *fixture, gconstpointer data)
{
    g_autofree char *known = NULL;
    while ((known = berth_file_digest_known(fixture->file, "/proc/none")) == NULL)
        g_usleep(1000);
    assert_digest(fixture, (char *[]){known, NULL}, "file");
}

static void test_missing(Fixture *fixture, gconstpointer data)
{
    guint8 digest[BERTH_SHA256_SIZE];
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(unlink(fixture->file), ==, 0);
    g_assert_null(berth_file_digest_known(fixture->file, fixture->cache));
    g_assert_false(berth_file_digest(fixture->file, NULL, digest, &error));
    g_assert_nonnull(error);
}

static void add(const char *path, void (*test)(Fixture *fixture, gconstpointer data))
{
    g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/park/file_digest/known-is-used", test_known_is_used);
    add("/park/file_digest/cache", test_cache);
    add("/park/file_digest/written", test_written);
    add("/park/file_digest/replaced", test_replaced);
    add("/park/file_digest/bad-entries", test_bad_entries);
    add("/park/file_digest/foreign-entries", test_foreign_entries);
    add("/park/file_digest/no-cache", test_no_cache);
    add("/park/file_digest/missing", test_missing);
    return g_test_run();
}
