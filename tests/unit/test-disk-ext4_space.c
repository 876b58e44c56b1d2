/* SPDX-License-Identifier: MIT
 *
 * Images are made by mke2fs, filled by debugfs and checked by e2fsck.
 */
#include "../lib/oracle.h"
#include "base/error.h"
#include "base/fd.h"
#include "disk/ext4/ext4_space.h"
#include "disk/file/copy.h"
#include "disk/file/e2tools.h"
#include "disk/file/ext4_state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((guint64)1 << 20)

typedef struct {
    char *directory;
    char *image;
    char *noise; /* a file of 20 MiB */
    int fd;
} Fixture;

/* Run a program of e2fsprogs, which must succeed. */
static void run(const char *program, const char *first, const char *second, const char *third,
                const char *fourth)
{
    const char *const argv[] = {program, first, second, third, fourth, NULL};
    g_autoptr(GError) error = NULL;
    int status = 0;
    g_spawn_sync(NULL, (char **)argv, NULL,
                 G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                 NULL, NULL, NULL, NULL, &status, &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

static void debugfs(const Fixture *fixture, const char *request)
{
    run("/usr/sbin/debugfs", "-w", "-R", request, fixture->image);
}

static guint64 used(const Fixture *fixture)
{
    struct stat st;
    g_assert_cmpint(fstat(fixture->fd, &st), ==, 0);
    return (guint64)st.st_blocks * 512;
}

static void set_up(Fixture *fixture, gconstpointer features)
{
    fixture->directory = oracle_make_directory();
    fixture->image = g_build_filename(fixture->directory, "disk.ext4", NULL);
    fixture->noise = g_build_filename(fixture->directory, "noise", NULL);
    g_autofree char *bytes = g_malloc(20 * MIB);
    for (gsize i = 0; i < 20 * MIB; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    g_assert_true(g_file_set_contents(fixture->noise, bytes, (gssize)(20 * MIB), NULL));
    run("/usr/sbin/mke2fs", "-q", features != NULL ? features : "-Text4", fixture->image, "512M");
    fixture->fd = open(fixture->image, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(fixture->fd, >=, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->fd);
    oracle_remove_directory(fixture->directory);
    g_free(fixture->image);
    g_free(fixture->noise);
}

static void write_noise(const Fixture *fixture, const char *name)
{
    g_autofree char *request = g_strdup_printf("write %s %s", fixture->noise, name);
    debugfs(fixture, request);
}

static void assert_noise(const Fixture *fixture, const char *path)
{
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(fixture->noise, &bytes, &size, NULL));
    oracle_expect_content(fixture->image, path, bytes, size);
}

static void test_free_blocks_become_holes(Fixture *fixture, gconstpointer data)
{
    write_noise(fixture, "one");
    write_noise(fixture, "two");
    write_noise(fixture, "three");
    debugfs(fixture, "rm two");
    guint64 before = used(fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_ext4_space_punch(fixture->fd, "disk", NULL, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(used(fixture), <=, before - 20 * MIB);
    g_assert_cmpuint(used(fixture), >=, 40 * MIB);
    oracle_check(fixture->image);
    assert_noise(fixture, "/one");
    assert_noise(fixture, "/three");

    guint64 once = used(fixture);
    g_assert_true(berth_ext4_space_punch(fixture->fd, "disk", NULL, NULL, NULL));
    g_assert_cmpuint(used(fixture), ==, once);
}

/* A used journal occupies its full size; its superblock must survive. */
static void test_an_empty_journal_becomes_a_hole(Fixture *fixture, gconstpointer data)
{
    g_assert_true(berth_ext4_space_punch(fixture->fd, "disk", NULL, NULL, NULL));
    g_autofree char *stat_text = oracle_ask(fixture->image, "stat <8>");
    g_assert_nonnull(strstr(stat_text, "Size: 16777216")); /* of 512 MiB */
    g_assert_cmpuint(used(fixture), <, 4 * MIB);
    oracle_check(fixture->image);
    g_autofree char *log = oracle_ask(fixture->image, "logdump");
    g_assert_nonnull(strstr(log, "Journal starts at block 0"));
}

static bool count(const BerthProgress *progress, gpointer user_data)
{
    guint *left = user_data;
    g_assert_cmpuint(progress->bytes_done, <=, progress->bytes_total);
    return *left == 0 || --*left > 0;
}

static void test_cancelled_midway(Fixture *fixture, gconstpointer data)
{
    write_noise(fixture, "one");
    for (guint stop = 1; stop < 5; stop++) {
        guint left = stop;
        g_autoptr(GError) error = NULL;
        bool done = berth_ext4_space_punch(fixture->fd, "disk", count, &left, &error);
        g_assert_true(done || berth_error_is(error, BERTH_ERROR_CANCELLED));
        g_assert_true(done || stop < 5);
        oracle_check(fixture->image);
        assert_noise(fixture, "/one");
    }
}

static void expect_refusal(const Fixture *fixture, const char *id)
{
    guint64 before = used(fixture);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_ext4_space_punch(fixture->fd, "disk", NULL, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_cmpuint(used(fixture), ==, before);
}

static void test_unclean_images_are_refused(Fixture *fixture, gconstpointer data)
{
    write_noise(fixture, "one");
    debugfs(fixture, "rm one");
    debugfs(fixture, "feature needs_recovery");
    expect_refusal(fixture, "compact.unclean");
    debugfs(fixture, "feature -needs_recovery");
    debugfs(fixture, "ssv state 2");
    expect_refusal(fixture, "compact.unclean");
}

static void overwrite(const Fixture *fixture, off_t offset, gsize size)
{
    g_autofree char *noise = g_malloc(size);
    memset(noise, 0x5a, size);
    g_assert_cmpint(pwrite(fixture->fd, noise, size, offset), ==, (ssize_t)size);
}

static void test_damaged_images_are_refused(Fixture *fixture, gconstpointer data)
{
    write_noise(fixture, "one");
    overwrite(fixture, 4096, 4096); /* the group descriptors */
    expect_refusal(fixture, "compact.damaged");
    overwrite(fixture, 1024, 1024); /* the superblock */
    expect_refusal(fixture, "disk.not-ext4");
    g_assert_cmpint(ftruncate(fixture->fd, 1500), ==, 0);
    expect_refusal(fixture, "disk.not-ext4");
}

/* A bitmap that marks used blocks as free, with a valid checksum: the counts do not match. */
static void test_wrong_bitmaps_are_detected(Fixture *fixture, gconstpointer data)
{
    write_noise(fixture, "one");
    debugfs(fixture, "freeb 20000 100");
    debugfs(fixture, "ssv free_blocks_count 1000");
    expect_refusal(fixture, "compact.damaged");
}

static void test_state(Fixture *fixture, gconstpointer data)
{
    BerthExt4State state;
    g_assert_true(berth_ext4_state_read(fixture->fd, "disk", &state, NULL));
    g_assert_cmpuint(state.size, ==, 512 * MIB);
    g_assert_cmpuint(state.block_size, ==, data == NULL ? 4096 : 1024);
    g_assert_false(state.needs_recovery || state.has_errors);
}

static void test_tools_shrink_an_image(Fixture *fixture, gconstpointer data)
{
    write_noise(fixture, "one");
    const BerthE2Image image = {.fd = fixture->fd, .what = "disk"};
    g_autoptr(GError) error = NULL;
    guint64 least = 0;
    g_assert_true(berth_e2tools_check(&image, true, &error));
    g_assert_true(berth_e2tools_minimum(&image, &least, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(least, >, 20 * MIB);
    g_assert_cmpuint(least, <, 256 * MIB);
    g_assert_true(berth_e2tools_resize(&image, 256 * MIB, &error));
    BerthExt4State state;
    g_assert_true(berth_ext4_state_read(fixture->fd, "disk", &state, NULL));
    g_assert_cmpuint(state.size, ==, 256 * MIB);
    g_assert_cmpint(ftruncate(fixture->fd, (off_t)(256 * MIB)), ==, 0);
    g_assert_true(berth_e2tools_check(&image, false, &error));
    assert_noise(fixture, "/one");

    g_assert_false(berth_e2tools_resize(&image, 4 * MIB, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "resize.failed");
    g_clear_error(&error);
    overwrite(fixture, 1024, 4096 * 3);
    g_assert_false(berth_e2tools_check(&image, false, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "resize.check");
}

static bool refuse(const BerthProgress *progress, gpointer user_data)
{
    return false;
}

static void test_tools_can_be_cancelled(Fixture *fixture, gconstpointer data)
{
    const BerthE2Image image = {fixture->fd, "disk", refuse, NULL};
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_e2tools_check(&image, false, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_CANCELLED);
    g_assert_cmpstr(berth_error_id(error), ==, "resize.cancelled");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"free-blocks-become-holes", test_free_blocks_become_holes},
        {"an-empty-journal-becomes-a-hole", test_an_empty_journal_becomes_a_hole},
        {"cancelled-midway", test_cancelled_midway},
        {"unclean-images-are-refused", test_unclean_images_are_refused},
        {"damaged-images-are-refused", test_damaged_images_are_refused},
        {"wrong-bitmaps-are-detected", test_wrong_bitmaps_are_detected},
        {"state", test_state},
        {"tools-shrink-an-image", test_tools_shrink_an_image},
        {"tools-can-be-cancelled", test_tools_can_be_cancelled},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/disk/ext4_space/", tests[i].path, NULL);
        g_test_add(path, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
    g_test_add("/disk/ext4_space/small-blocks/free-blocks-become-holes", Fixture, "-Tsmall", set_up,
               test_free_blocks_become_holes, tear_down);
    g_test_add("/disk/ext4_space/small-blocks/state", Fixture, "-b1024", set_up, test_state,
               tear_down);
    return g_test_run();
}
