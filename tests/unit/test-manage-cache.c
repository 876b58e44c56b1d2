/* SPDX-License-Identifier: MIT */
#include "manage/cache.h"

#include "../lib/oracle.h"

#include "base/fd.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LONG_USEC (G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC)

typedef struct {
    char *directory;
    char *images;
    BerthCache cache;
    int archive, image;
} Fixture;

static int make_file(const Fixture *fixture, const char *name, gsize size)
{
    g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
    g_autofree char *content = g_strnfill(size, 'x');
    g_assert_true(g_file_set_contents(path, content, (gssize)size, NULL));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* Wait until a further change of @fd's file would change its times. */
static void settle(int fd)
{
    char *identity = NULL;
    BerthCacheArchive archive = {.fd = fd};
    const BerthCache cache = {.limit = 1};
    while (identity == NULL) {
        berth_cache_identify(&cache, &archive);
        identity = archive.identity;
        g_usleep(1000);
    }
    g_free(identity);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = oracle_make_directory();
    fixture->images = g_build_filename(fixture->directory, "images", NULL);
    fixture->cache = (BerthCache){.directory = fixture->images, .limit = 1 << 30};
    fixture->archive = make_file(fixture, "archive", 100000);
    fixture->image = make_file(fixture, "image", 2 << 20);
    settle(fixture->archive);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->archive);
    close(fixture->image);
    g_free(fixture->images);
    oracle_remove_directory(fixture->directory);
}

static void keep(const Fixture *fixture, const char *options, gint64 made_usec)
{
    BerthCacheArchive archive = {.fd = fixture->archive, .origin = "?", .options = options};
    g_autoptr(GError) error = NULL;
    berth_cache_identify(&fixture->cache, &archive);
    g_autofree char *identity = archive.identity;
    g_assert_true(
        berth_cache_keep(&fixture->cache, &archive, fixture->image, 7, made_usec, &error));
    g_assert_no_error(error);
}

static BerthCacheEntry *find(const Fixture *fixture, const char *options, int *ret_image)
{
    BerthCacheArchive archive = {.fd = fixture->archive, .origin = "?", .options = options};
    const BerthWatch watch = {0};
    BerthCacheEntry *entry = NULL;
    berth_cache_identify(&fixture->cache, &archive);
    g_autofree char *identity = archive.identity;
    *ret_image = berth_cache_find(&fixture->cache, &archive, &watch, &entry);
    return entry;
}

static bool can_share(const Fixture *fixture)
{
    berth_autofd int output = make_file(fixture, "probe", 0);
    return ioctl(output, FICLONE, fixture->image) == 0;
}

static void test_keeps_and_finds(Fixture *fixture, gconstpointer data)
{
    berth_autofd int none = -1;
    g_assert_null(find(fixture, "a=1", &none));
    g_assert_cmpint(none, ==, -1);

    keep(fixture, "a=1", LONG_USEC);
    berth_autofd int image = -1;
    g_autoptr(BerthCacheEntry) entry = find(fixture, "a=1", &image);
    g_assert_nonnull(entry);
    g_assert_cmpuint(entry->entries, ==, 7);
    g_assert_cmpuint(entry->disk_size, ==, 2 << 20);
    g_assert_cmpuint(entry->archive_size, ==, 100000);
    g_assert_cmpint(lseek(image, 0, SEEK_END), ==, 2 << 20);
    g_assert_cmpint(fcntl(image, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
    g_assert_null(find(fixture, "a=2", &none));
}

/* Without reflinks an image that was made quickly is not worth a copy. */
static void test_fast_imports_are_not_kept(Fixture *fixture, gconstpointer data)
{
    keep(fixture, "fast", 1000);
    g_autoptr(GPtrArray) entries = berth_cache_list(&fixture->cache);
    g_assert_cmpuint(entries->len, ==, can_share(fixture) ? 1 : 0);
    keep(fixture, "slow", LONG_USEC);
    g_autoptr(GPtrArray) more = berth_cache_list(&fixture->cache);
    g_assert_cmpuint(more->len, ==, entries->len + 1);
}

static void test_archives_without_identity(Fixture *fixture, gconstpointer data)
{
    int ends[2];
    BerthCacheArchive archive = {.fd = -1};
    g_assert_cmpint(pipe(ends), ==, 0);
    archive.fd = ends[0];
    berth_cache_identify(&fixture->cache, &archive);
    g_assert_null(archive.identity);
    close(ends[0]);
    close(ends[1]);

    archive.fd = fixture->archive;
    g_assert_cmpint(lseek(fixture->archive, 1, SEEK_SET), ==, 1);
    berth_cache_identify(&fixture->cache, &archive);
    g_assert_null(archive.identity);
    g_assert_cmpint(lseek(fixture->archive, 0, SEEK_SET), ==, 0);

    /* A recently written file may change again without a change of its times. */
    g_assert_cmpint(write(fixture->archive, "y", 1), ==, 1);
    g_assert_cmpint(lseek(fixture->archive, 0, SEEK_SET), ==, 0);
    berth_cache_identify(&fixture->cache, &archive);
    g_assert_null(archive.identity);
}

/* An archive that was modified during the import is not cached. */
static void test_archive_changes(Fixture *fixture, gconstpointer data)
{
    BerthCacheArchive archive = {.fd = fixture->archive, .origin = "?", .options = "a=1"};
    berth_cache_identify(&fixture->cache, &archive);
    g_autofree char *identity = archive.identity;
    g_assert_nonnull(identity);
    g_assert_cmpint(pwrite(fixture->archive, "y", 1, 5000), ==, 1);
    settle(fixture->archive);
    g_assert_true(berth_cache_keep(&fixture->cache, &archive, fixture->image, 7, LONG_USEC, NULL));
    g_autoptr(GPtrArray) entries = berth_cache_list(&fixture->cache);
    g_assert_cmpuint(entries->len, ==, 0);
}

static void test_image_larger_than_the_limit(Fixture *fixture, gconstpointer data)
{
    keep(fixture, "a=1", LONG_USEC);
    fixture->cache.limit = 1 << 20;
    keep(fixture, "b=1", LONG_USEC);
    g_autoptr(GPtrArray) entries = berth_cache_list(&fixture->cache);
    g_assert_cmpuint(entries->len, ==, 1);
    g_assert_cmpstr(((BerthCacheEntry *)entries->pdata[0])->options, ==, "a=1");
}

#define ADD(name, func) g_test_add("/manage/cache/" name, Fixture, NULL, set_up, (func), tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("keeps-and-finds", test_keeps_and_finds);
    ADD("fast-imports-are-not-kept", test_fast_imports_are_not_kept);
    ADD("archives-without-identity", test_archives_without_identity);
    ADD("archive-changes", test_archive_changes);
    ADD("image-larger-than-the-limit", test_image_larger_than_the_limit);
    return g_test_run();
}
