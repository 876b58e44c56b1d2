/* SPDX-License-Identifier: MIT
 *
 * Whole imports: the image, the input, progress. e2fsprogs' programs check the image.
 */
#include "../lib/importing.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_empty_image_is_cheap(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    berth_autofd int fd = tarball_open(fixture->tarball);
    g_autoptr(GError) error = NULL;
    make_image(fd, "x.tar", fixture->image, BERTH_IMAGE_SIZE_DEFAULT, NULL, NULL, &error);
    g_assert_no_error(error);

    struct stat status;
    g_assert_cmpint(stat(fixture->image, &status), ==, 0);
    g_assert_cmpuint((guint64)status.st_size, ==, BERTH_IMAGE_SIZE_DEFAULT);
    g_assert_cmpuint((guint64)status.st_blocks * 512, <=, 20 << 20);
    oracle_check(fixture->image);

    g_autofree char *super = oracle_ask(fixture->image, "show_super_stats -h");
    g_assert_nonnull(strstr(super, "\nReserved block count:     0\n"));
    g_assert_nonnull(strstr(super, "metadata_csum"));
    g_assert_nonnull(strstr(super, "has_journal"));
    g_assert_null(strstr(super, "orphan_file"));
    g_assert_null(strstr(super, "metadata_csum_seed"));
    g_assert_nonnull(strstr(super, "user_xattr acl\n"));
}

/* Equal bytes, independent of time, directory and chunking of the input. */
static void test_same_archive_same_image(Importing *fixture, gconstpointer data)
{
    static const char *const xattr[] = {"SCHILY.xattr.user.note", "same", NULL};
    g_autofree guint8 *noise = g_malloc0(3 << 20);
    for (guint i = 0; i < 3 << 20; i += 7)
        noise[i] = (guint8)(i >> 8);
    TARBALL_ADD(fixture->tarball, .path = "usr/large", .data = noise, .size = 3 << 20,
                .pax = xattr);
    TARBALL_ADD(fixture->tarball, .path = "usr/link", .type = '1', .target = "usr/large");
    for (guint i = 0; i < 600; i++) {
        g_autofree char *path = g_strdup_printf("usr/share/a-file-with-a-name-%u", i);
        TARBALL_ADD(fixture->tarball, .path = path, .data = path);
    }
    importing_ok(fixture);
    g_autofree char *first = oracle_digest(fixture->image);
    g_autofree char *super = oracle_ask(fixture->image, "show_super_stats -h");
    g_assert_null(strstr(super, "Filesystem UUID:          <none>"));
    g_unlink(fixture->image);

    const char *const argv[] = {"gzip", "-c", NULL};
    g_autoptr(GByteArray) packed = tarball_filter(fixture->tarball, argv);
    g_autoptr(GError) error = NULL;
    importing_try(fixture, packed, &error);
    g_assert_no_error(error);
    g_autofree char *second = oracle_digest(fixture->image);
    g_assert_cmpstr(first, ==, second);
    g_unlink(fixture->image);

    g_autoptr(GByteArray) other = tarball_new_rootfs();
    TARBALL_ADD(other, .path = "one-more");
    tarball_end(other);
    importing_try(fixture, other, &error);
    g_assert_no_error(error);
    g_autofree char *other_super = oracle_ask(fixture->image, "show_super_stats -h");
    g_assert_cmpstr(super, !=, other_super);
}

static void run_shell(const char *script, const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *errors = NULL;
    int status = -1;
    const char *const argv[] = {"sh", "-eu", "-c", script, "sh", directory, NULL};
    g_spawn_sync(directory, (char **)(void *)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                 &errors, &status, &error);
    g_assert_no_error(error);
    if (status != 0)
        g_error("%s", errors);
}

/* A tree made by the shell, packed by GNU tar in the format @data, imported, read by debugfs. */
static void test_round_trip(Importing *fixture, gconstpointer data)
{
    run_shell("mkdir -p tree/etc tree/deep/$(printf 'd%.0s/' $(seq 60)) tree/many; cd tree\n"
              "seq 100000 > deep/numbers; ln deep/numbers hard; ln -s deep/numbers soft\n"
              "head -c 300000 /dev/urandom > random; truncate -s 3M sparse; echo x >> sparse\n"
              "for i in $(seq 700); do echo $i > many/a-rather-long-name-for-a-file-$i; done\n",
              fixture->directory);
    g_autofree char *pack =
        g_strdup_printf("tar -C tree --sort=name -c %s . > x.tar", (const char *)data);
    run_shell(pack, fixture->directory);

    g_autofree char *archive = g_build_filename(fixture->directory, "x.tar", NULL);
    berth_autofd int fd = open(archive, O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    make_image(fd, "x.tar", fixture->image, IMPORTING_SIZE, NULL, NULL, &error);
    g_assert_no_error(error);
    oracle_check(fixture->image);

    g_autofree char *request = g_strdup_printf("rdump / %s/back", fixture->directory);
    run_shell("mkdir back", fixture->directory);
    g_free(oracle_ask(fixture->image, request));
    run_shell("rmdir back/lost+found; diff -r --no-dereference tree back", fixture->directory);
    oracle_expect_stat(fixture->image, "/hard", "Links: 2 ");
    oracle_expect_stat(fixture->image, "/sparse", "Blockcount: 8\n");
}

static void test_compression(Importing *fixture, gconstpointer data)
{
    static const char *const programs[] = {"gzip", "xz", "zstd", "bzip2", "lz4", "cat"};
    TARBALL_ADD(fixture->tarball, .path = "a", .data = "first");
    tarball_end(fixture->tarball);
    for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
        const char *const argv[] = {programs[i], i == 5 ? NULL : "-c", NULL};
        g_autoptr(GByteArray) packed = tarball_filter(fixture->tarball, argv);
        g_autoptr(GError) error = NULL;
        importing_try(fixture, packed, &error);
        g_assert_no_error(error);
        oracle_check(fixture->image);
        oracle_expect_content(fixture->image, "/a", "first", 5);
        g_unlink(fixture->image);
    }
}

static void test_rejects_archives_without_a_rootfs(Importing *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "notes.txt", .data = "x");
    tarball_end(tarball);
    importing_fails(fixture, tarball, "import.not-a-rootfs", "x.tar: not a root file system");

    g_byte_array_set_size(tarball, 0);
    tarball_end(tarball);
    importing_fails(fixture, tarball, "import.not-a-rootfs", "x.tar: ");

    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "root.x86_64/etc/passwd", .data = "x");
    tarball_end(tarball);
    g_autoptr(GError) error = NULL;
    g_assert_false(importing_try(fixture, tarball, &error));
    g_assert_nonnull(strstr(berth_error_hint(error), "root.x86_64/"));
}

static void test_refuses_archives_larger_than_the_image(Importing *fixture, gconstpointer data)
{
    g_autofree guint8 *noise = g_malloc(40 << 20);
    memset(noise, 'n', 40 << 20);
    for (guint i = 0; i < 8; i++) {
        g_autofree char *path = g_strdup_printf("f%u", i);
        TARBALL_ADD(fixture->tarball, .path = path, .data = noise, .size = 40 << 20);
    }
    importing_refused(fixture, "import.unpack.image-full", "the image only ");
}

static void test_refuses_small_images(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    berth_autofd int fd = tarball_open(fixture->tarball);
    g_autoptr(GError) error = NULL;
    g_assert_false(make_image(fd, "x", fixture->image, 1 << 20, NULL, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.create.too-small");
    importing_expect_nothing_left(fixture);
}

static void test_never_replaces_a_file(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    g_assert_true(g_file_set_contents(fixture->image, "mine", 4, NULL));
    g_autoptr(GError) error = NULL;
    g_assert_false(importing_try(fixture, fixture->tarball, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_EXISTS);
    g_assert_cmpstr(berth_error_id(error), ==, "import.create.exists");
    g_autofree char *content = NULL;
    g_assert_true(g_file_get_contents(fixture->image, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "mine");
}

static void test_reports_a_missing_directory(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    berth_autofd int fd = tarball_open(fixture->tarball);
    g_autofree char *path = g_build_filename(fixture->directory, "no", "such", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(make_image(fd, "x", path, IMPORTING_SIZE, NULL, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.create.missing");
}

typedef struct {
    guint calls;
    BerthProgress last;
    bool stop;
} Progress;

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    Progress *seen = user_data;
    seen->calls++;
    g_assert_cmpuint(progress->bytes_done, >=, seen->last.bytes_done);
    g_assert_cmpuint(progress->entries, >=, seen->last.entries);
    seen->last = *progress;
    return !seen->stop;
}

static void test_progress_ends_at_the_total(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    berth_autofd int fd = tarball_open(fixture->tarball);
    Progress seen = {0};
    g_autoptr(GError) error = NULL;
    make_image(fd, "x", fixture->image, IMPORTING_SIZE, on_progress, &seen, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(seen.calls, >=, 1);
    g_assert_cmpuint(seen.last.entries, ==, 2);
    g_assert_cmpuint(seen.last.bytes_total, ==, fixture->tarball->len);
    g_assert_cmpuint(seen.last.bytes_done, ==, fixture->tarball->len);
}

static void test_reads_pipes(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(berth_fd_write_all(ends[1], fixture->tarball->data, fixture->tarball->len), ==,
                    0);
    close(ends[1]);
    Progress seen = {0};
    g_autoptr(GError) error = NULL;
    make_image(ends[0], "-", fixture->image, IMPORTING_SIZE, on_progress, &seen, &error);
    close(ends[0]);
    g_assert_no_error(error);
    g_assert_cmpuint(seen.last.bytes_total, ==, 0);
    oracle_check(fixture->image);
}

static void test_cancels(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    berth_autofd int fd = tarball_open(fixture->tarball);
    Progress seen = {.stop = true};
    g_autoptr(GError) error = NULL;
    g_assert_false(make_image(fd, "x", fixture->image, IMPORTING_SIZE, on_progress, &seen, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_CANCELLED);
    g_assert_cmpstr(berth_error_id(error), ==, "import.cancelled");
    g_assert_cmpuint(seen.calls, ==, 1);
    importing_expect_nothing_left(fixture);
}

/* Skipped data is reported, and the import continues. */
static void test_warnings(Importing *fixture, gconstpointer data)
{
    static const char *const gzip[] = {"gzip", "-c", NULL};
    static const char *const flags[] = {"SCHILY.fflags", "schg", NULL};
    TARBALL_ADD(fixture->tarball, .path = "etc/flags", .pax = flags);
    g_autoptr(GByteArray) packed = tarball_filter(fixture->tarball, gzip);
    g_byte_array_append(packed, (const guint8 *)"garbage", 7);
    g_autoptr(GError) error = NULL;
    importing_try(fixture, packed, &error);
    g_assert_no_error(error);
    const GPtrArray *warnings = fixture->report.warnings;
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < warnings->len; i++)
        g_string_append_printf(all, "%s\n", (const char *)g_ptr_array_index(warnings, i));
    g_assert_cmpuint(warnings->len, ==, 3);
    g_assert_nonnull(strstr(all->str, "the data after the end of the gzip stream"));
    g_assert_nonnull(strstr(all->str, "the end mark is missing"));
    g_assert_nonnull(strstr(all->str, "1 file flag was left out"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    IMPORTING_ADD("/disk/image/case-36-38-41-warnings", test_warnings);
    IMPORTING_ADD("/disk/image/empty-image-is-cheap", test_empty_image_is_cheap);
    IMPORTING_ADD("/disk/image/same-archive-same-image", test_same_archive_same_image);
    static const char *const formats[] = {"--format=posix --sparse", "--format=gnu --sparse",
                                          "--format=posix --xz"};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *name = g_strdup_printf("/disk/image/round-trip/%" G_GSIZE_FORMAT, i);
        g_test_add(name, Importing, formats[i], importing_set_up, test_round_trip,
                   importing_tear_down);
    }
    IMPORTING_ADD("/disk/image/compression", test_compression);
    IMPORTING_ADD("/disk/image/rejects-archives-without-a-rootfs",
                  test_rejects_archives_without_a_rootfs);
    IMPORTING_ADD("/disk/image/refuses-archives-larger-than-the-image",
                  test_refuses_archives_larger_than_the_image);
    IMPORTING_ADD("/disk/image/refuses-small-images", test_refuses_small_images);
    IMPORTING_ADD("/disk/image/never-replaces-a-file", test_never_replaces_a_file);
    IMPORTING_ADD("/disk/image/reports-a-missing-directory", test_reports_a_missing_directory);
    IMPORTING_ADD("/disk/image/progress-ends-at-the-total", test_progress_ends_at_the_total);
    IMPORTING_ADD("/disk/image/reads-pipes", test_reads_pipes);
    IMPORTING_ADD("/disk/image/cancels", test_cancels);
    return g_test_run();
}
