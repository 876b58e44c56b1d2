/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

typedef struct {
    char *dir;
    char *file;
    char *other;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->dir = g_dir_make_tmp("berth-fd-XXXXXX", NULL);
    fixture->file = g_build_filename(fixture->dir, "file", NULL);
    fixture->other = g_build_filename(fixture->dir, "other", NULL);
    g_assert_true(g_file_set_contents(fixture->file, "same", -1, NULL));
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_unlink(fixture->file);
    g_unlink(fixture->other);
    g_assert_cmpint(g_rmdir(fixture->dir), ==, 0);
    g_free(fixture->dir);
    g_free(fixture->file);
    g_free(fixture->other);
}

static void test_is_path(Fixture *fixture, gconstpointer data)
{
    berth_autofd int fd = open(fixture->file, O_RDONLY | O_CLOEXEC);
    g_assert_true(berth_fd_is_path(fd, fixture->file));
    g_assert_false(berth_fd_is_path(fd, fixture->other)); /* there is none */
    g_assert_false(berth_fd_is_path(fd, fixture->dir));
    g_assert_false(berth_fd_is_path(-1, fixture->file));

    g_assert_cmpint(symlink("file", fixture->other), ==, 0);
    g_assert_true(berth_fd_is_path(fd, fixture->other));
    g_assert_cmpint(g_unlink(fixture->other), ==, 0);
    g_assert_cmpint(link(fixture->file, fixture->other), ==, 0);
    g_assert_true(berth_fd_is_path(fd, fixture->other));

    /* Another file of the same name and content. */
    g_assert_cmpint(g_unlink(fixture->file), ==, 0);
    g_assert_true(g_file_set_contents(fixture->file, "same", -1, NULL));
    g_assert_false(berth_fd_is_path(fd, fixture->file));
    g_assert_true(berth_fd_is_path(fd, fixture->other));
}

static void test_sync_directory(Fixture *fixture, gconstpointer data)
{
    berth_autofd int directory = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    berth_autofd int unable = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(berth_fd_sync_directory(directory), ==, 0);
    g_assert_cmpint(fsync(unable), ==, -1); /* a file system without it */
    g_assert_cmpint(errno, ==, EINVAL);
    g_assert_cmpint(berth_fd_sync_directory(unable), ==, 0);
    g_assert_cmpint(berth_fd_sync_directory(-1), ==, -1);
    g_assert_cmpint(errno, ==, EBADF);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/base/fd/is-path", Fixture, NULL, set_up, test_is_path, tear_down);
    g_test_add("/base/fd/sync-directory", Fixture, NULL, set_up, test_sync_directory, tear_down);
    return g_test_run();
}
