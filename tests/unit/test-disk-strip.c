/* SPDX-License-Identifier: MIT */
#include "../lib/importing.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/temp.h"
#include "disk/tree/strip.h"

static bool apply(BerthStrip *strip, BerthEntryType type, const char *path, const char *target,
                  char **ret_path, char **ret_target, bool *ret_skip, GError **error)
{
    g_auto(BerthEntry) entry = {.type = type, .path = g_strdup(path), .target = g_strdup(target)};
    bool done = berth_strip_apply(strip, &entry, ret_skip, error);
    *ret_path = g_steal_pointer(&entry.path);
    *ret_target = g_steal_pointer(&entry.target);
    return done;
}

static const struct {
    BerthEntryType type;
    const char *path, *target;
    const char *new_path; /* NULL: skipped */
    const char *new_target;
    const char *id; /* of the error */
} steps[] = {
    {BERTH_ENTRY_FILE, "version", NULL, NULL, NULL, NULL},
    {BERTH_ENTRY_DIRECTORY, "", NULL, NULL, NULL, NULL},
    {BERTH_ENTRY_FILE, "root/etc/passwd", NULL, "etc/passwd", NULL, NULL},
    {BERTH_ENTRY_DIRECTORY, "root", NULL, "", NULL, NULL},
    {BERTH_ENTRY_SYMLINK, "root/bin", "/root/usr", "bin", "/root/usr", NULL},
    {BERTH_ENTRY_HARDLINK, "root/a", "root/etc/passwd", "a", "etc/passwd", NULL},
    {BERTH_ENTRY_HARDLINK, "root/b", "version", NULL, NULL, "import.strip-root.link"},
    {BERTH_ENTRY_HARDLINK, "root/c", "root", NULL, NULL, "import.strip-root.link"},
    {BERTH_ENTRY_FILE, "rooted/x", NULL, NULL, NULL, "import.strip-root.several"},
    {BERTH_ENTRY_DIRECTORY, "other", NULL, NULL, NULL, "import.strip-root.several"},
    {BERTH_ENTRY_SYMLINK, "latest", "root", NULL, NULL, NULL},
    {BERTH_ENTRY_FILE, "root/root/x", NULL, "root/x", NULL, NULL},
};

static void test_steps(void)
{
    BerthStrip strip = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *path = NULL;
        g_autofree char *target = NULL;
        g_autoptr(GError) error = NULL;
        bool skip = false;
        bool done = apply(&strip, steps[i].type, steps[i].path, steps[i].target, &path, &target,
                          &skip, &error);
        g_assert_true(done == (steps[i].id == NULL));
        if (!done) {
            g_assert_cmpstr(berth_error_id(error), ==, steps[i].id);
            continue;
        }
        g_assert_true(skip == (steps[i].new_path == NULL));
        if (skip)
            continue;
        g_assert_cmpstr(path, ==, steps[i].new_path);
        g_assert_cmpstr(target, ==, steps[i].new_target);
    }
    g_assert_cmpuint(strip.left_out, ==, 2);
    berth_strip_clear(&strip);
}

/* --- whole imports --- */

static bool import_stripped(Importing *fixture, BerthImageReport *ret_report, GError **error)
{
    berth_autofd int fd = tarball_open(fixture->tarball);
    g_autoptr(BerthTemp) temp = berth_temp_new(fixture->image, BERTH_TEMP_DEFAULT, error);
    const BerthImageOptions options = {.name = "x.tar", .size = IMPORTING_SIZE, .strip_root = true};
    return temp != NULL &&
           berth_image_write(fd, berth_temp_fd(temp), &options, NULL, NULL, ret_report, error) &&
           berth_temp_commit(temp, error);
}

static void set_up(Importing *fixture, gconstpointer data)
{
    importing_set_up(fixture, data);
    g_byte_array_set_size(fixture->tarball, 0);
}

/* The error mentions the option. */
static void test_case_11_error(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "version", .data = "1\n");
    TARBALL_ADD(fixture->tarball, .path = "root.x86_64/usr/bin/sh", .data = "sh");
    tarball_end(fixture->tarball);
    g_autoptr(GError) error = NULL;
    g_assert_false(importing_try(fixture, fixture->tarball, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.not-a-rootfs");
    g_assert_cmpstr(berth_error_hint(error), ==,
                    "the root is below root.x86_64/ in the archive: import it with --strip-root");
    importing_expect_nothing_left(fixture);
}

static void test_case_11(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "pkglist.txt", .data = "base\n");
    TARBALL_ADD(fixture->tarball, .path = "root.x86_64/", .type = '5', .mode = 0750);
    TARBALL_ADD(fixture->tarball, .path = "root.x86_64/usr/lib/os-release", .data = "ID=arch\n");
    TARBALL_ADD(fixture->tarball, .path = "root.x86_64/lib", .type = '2', .target = "/usr/lib");
    TARBALL_ADD(fixture->tarball, .path = "root.x86_64/lib/libc.so", .data = "libc");
    TARBALL_ADD(fixture->tarball, .path = "root.x86_64/etc/os-release", .type = '1',
                .target = "root.x86_64/usr/lib/os-release");
    tarball_end(fixture->tarball);

    g_autoptr(GError) error = NULL;
    g_auto(BerthImageReport) report = {0};
    import_stripped(fixture, &report, &error);
    g_assert_no_error(error);
    oracle_check(fixture->image);
    oracle_expect_stat(fixture->image, "/", "Mode:  0750");
    oracle_expect_content(fixture->image, "/usr/lib/libc.so", "libc", 4);
    oracle_expect_stat(fixture->image, "/etc/os-release", "Links: 2 ");
    oracle_expect_missing(fixture->image, "/pkglist.txt");
    oracle_expect_missing(fixture->image, "/root.x86_64");
    g_assert_cmpuint(report.warnings->len, ==, 1);
    g_assert_nonnull(strstr(report.warnings->pdata[0], "1 file beside root.x86_64/"));
}

/* Without the option nothing is stripped, even if all is below one directory. */
static void test_case_11_single_directory_is_not_stripped_unasked(Importing *fixture,
                                                                  gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "usr/bin/sh", .data = "sh");
    importing_ok(fixture);
    oracle_expect_content(fixture->image, "/usr/bin/sh", "sh", 2);
}

static void test_case_11_two_directories(Importing *fixture, gconstpointer data)
{
    TARBALL_ADD(fixture->tarball, .path = "usr/bin/sh", .data = "sh");
    TARBALL_ADD(fixture->tarball, .path = "etc/passwd", .data = "root");
    tarball_end(fixture->tarball);
    g_autoptr(GError) error = NULL;
    g_assert_false(import_stripped(fixture, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.strip-root.several");
    g_assert_cmpstr(error->message, ==,
                    "unpack etc/passwd: the archive has the directories usr and etc at its top, "
                    "not one");
    importing_expect_nothing_left(fixture);
}

#define ADD(name, func)                                                                            \
    g_test_add("/disk/strip/" name, Importing, NULL, set_up, (func), importing_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/strip/steps", test_steps);
    ADD("case-11-error", test_case_11_error);
    ADD("case-11-strip-root", test_case_11);
    ADD("case-11-single-directory-is-not-stripped-unasked",
        test_case_11_single_directory_is_not_stripped_unasked);
    ADD("case-11-two-directories", test_case_11_two_directories);
    return g_test_run();
}
