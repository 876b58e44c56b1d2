/* SPDX-License-Identifier: MIT */
#include "disk/file/temp.h"

#include "../lib/oracle.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *directory;
    char *path;
    BerthTempFlags flags;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer flags)
{
    fixture->directory = oracle_make_directory();
    fixture->path = g_build_filename(fixture->directory, "disk.img", NULL);
    fixture->flags = GPOINTER_TO_UINT(flags);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    oracle_remove_directory(fixture->directory);
    g_free(fixture->path);
}

static guint count_files(const Fixture *fixture)
{
    guint count = 0;
    g_autoptr(GDir) dir = g_dir_open(fixture->directory, 0, NULL);
    while (g_dir_read_name(dir) != NULL)
        count++;
    return count;
}

static BerthTemp *make(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    BerthTemp *temp = berth_temp_new(fixture->path, fixture->flags, &error);
    g_assert_no_error(error);
    g_assert_cmpint(berth_fd_write_all(berth_temp_fd(temp), "data", 4), ==, 0);
    return temp;
}

static void test_appears_when_committed(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthTemp) temp = make(fixture);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    g_autoptr(GError) error = NULL;
    berth_temp_commit(temp, &error);
    g_assert_no_error(error);
    g_clear_pointer(&temp, berth_temp_free);

    g_autofree char *content = NULL;
    g_assert_true(g_file_get_contents(fixture->path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "data");
    g_assert_cmpuint(count_files(fixture), ==, 1);
}

static void test_is_deleted_when_freed(Fixture *fixture, gconstpointer data)
{
    berth_temp_free(make(fixture));
    g_assert_cmpuint(count_files(fixture), ==, 0);
}

static void test_never_replaces_unasked(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthTemp) temp = make(fixture);
    g_assert_true(g_file_set_contents(fixture->path, "first", -1, NULL));
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_temp_commit(temp, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.create.exists");
    g_clear_pointer(&temp, berth_temp_free);

    g_autofree char *content = NULL;
    g_assert_true(g_file_get_contents(fixture->path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "first");
    g_assert_cmpuint(count_files(fixture), ==, 1);

    g_autoptr(GError) again = NULL;
    g_assert_null(berth_temp_new(fixture->path, fixture->flags, &again));
    g_assert_error(again, BERTH_ERROR, BERTH_ERROR_EXISTS);
}

static void test_removes_abandoned_files(Fixture *fixture, gconstpointer data)
{
    static const char *const names[] = {".a.import-1", ".b.import-22", ".c.import-x", "d.import-1"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(fixture->directory, names[i], NULL);
        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    g_autofree char *held = g_build_filename(fixture->directory, names[1], NULL);
    berth_autofd int fd = open(held, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);

    berth_temp_free(make(fixture));
    g_assert_cmpuint(count_files(fixture), ==, 3); /* the locked one, and two other files */
    g_assert_true(g_file_test(held, G_FILE_TEST_EXISTS));

    berth_fd_close(&fd);
    berth_temp_free(make(fixture));
    g_assert_cmpuint(count_files(fixture), ==, 2);
}

static void test_removes_the_file_of_a_killed_process(Fixture *fixture, gconstpointer data)
{
    pid_t child = fork();
    if (child == 0) {
        make(fixture);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpuint(count_files(fixture), ==, fixture->flags == BERTH_TEMP_NAMED ? 1 : 0);
    berth_temp_free(make(fixture));
    g_assert_cmpuint(count_files(fixture), ==, 0);
}

static void test_reports_the_directory(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "none", "disk.img", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_temp_new(path, fixture->flags, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.create.missing");
    g_assert_nonnull(g_strrstr(error->message, path));
}

static void replace_with(const Fixture *fixture, BerthTempFlags flags)
{
    g_assert_true(g_file_set_contents(fixture->path, "old", -1, NULL));
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthTemp) temp = berth_temp_new_for("resize", fixture->path, flags, &error);
    g_assert_no_error(error);
    g_assert_cmpint(berth_fd_write_all(berth_temp_fd(temp), "new", 3), ==, 0);
    g_autofree char *before = NULL;
    g_assert_true(g_file_get_contents(fixture->path, &before, NULL, NULL));
    g_assert_cmpstr(before, ==, "old");

    g_assert_true(berth_temp_commit(temp, &error));
    g_autofree char *after = NULL;
    g_assert_true(g_file_get_contents(fixture->path, &after, NULL, NULL));
    g_assert_cmpstr(after, ==, "new");
    g_clear_pointer(&temp, berth_temp_free);
    g_assert_cmpuint(count_files(fixture), ==, 1);

    berth_temp_free(berth_temp_new_for("resize", fixture->path, flags, NULL));
    g_assert_cmpuint(count_files(fixture), ==, 1);
    g_assert_null(berth_temp_new_for("resize", fixture->path, BERTH_TEMP_DEFAULT, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "resize.create.exists");
}

static void test_replaces_on_request(Fixture *fixture, gconstpointer data)
{
    replace_with(fixture, BERTH_TEMP_REPLACE);
    replace_with(fixture, BERTH_TEMP_CACHE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    static const struct {
        const char *name;
        void (*func)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"appears-when-committed", test_appears_when_committed},
        {"is-deleted-when-freed", test_is_deleted_when_freed},
        {"never-replaces-unasked", test_never_replaces_unasked},
        {"removes-abandoned-files", test_removes_abandoned_files},
        {"removes-the-file-of-a-killed-process", test_removes_the_file_of_a_killed_process},
        {"reports-the-directory", test_reports_the_directory},
        {"replaces-on-request", test_replaces_on_request},
    };
    static const char *const ways[] = {"nameless", "named"};
    for (guint way = 0; way < G_N_ELEMENTS(ways); way++) {
        for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *name = g_strdup_printf("/disk/temp/%s/%s", ways[way], tests[i].name);
            g_test_add(name, Fixture, GUINT_TO_POINTER(way), set_up, tests[i].func, tear_down);
        }
    }
    return g_test_run();
}
