/* SPDX-License-Identifier: MIT */
#include "importing.h"

#include "base/error.h"
#include "base/fd.h"

#include <string.h>

void importing_set_up(Importing *fixture, gconstpointer data)
{
    fixture->directory = oracle_make_directory();
    fixture->image = g_build_filename(fixture->directory, "disk.img", NULL);
    fixture->tarball = tarball_new_rootfs();
}

void importing_tear_down(Importing *fixture, gconstpointer data)
{
    oracle_remove_directory(fixture->directory);
    g_free(fixture->image);
    g_byte_array_unref(fixture->tarball);
    berth_image_report_clear(&fixture->report);
}

bool importing_try(Importing *fixture, const GByteArray *bytes, GError **error)
{
    berth_autofd int fd = tarball_open(bytes);
    berth_image_report_clear(&fixture->report);
    return make_image_report(fd, "x.tar", fixture->image, IMPORTING_SIZE, NULL, NULL,
                             &fixture->report, error);
}

void importing_ok(Importing *fixture)
{
    g_autoptr(GError) error = NULL;
    tarball_end(fixture->tarball);
    importing_try(fixture, fixture->tarball, &error);
    g_assert_no_error(error);
    oracle_check(fixture->image);
}

void importing_expect_nothing_left(const Importing *fixture)
{
    g_autoptr(GDir) dir = g_dir_open(fixture->directory, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(dir), ==, NULL);
}

void importing_fails(Importing *fixture, const GByteArray *bytes, const char *id,
                     const char *message)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(importing_try(fixture, bytes, &error));
    g_assert_cmpstr(berth_error_id(error), ==, id);
    if (strstr(error->message, message) == NULL)
        g_error("no \"%s\" in \"%s\"", message, error->message);
    g_assert_null(strchr(error->message, '\n'));
    importing_expect_nothing_left(fixture);
}

void importing_refused(Importing *fixture, const char *id, const char *message)
{
    tarball_end(fixture->tarball);
    importing_fails(fixture, fixture->tarball, id, message);
}
