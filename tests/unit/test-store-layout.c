/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "store/layout.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const BerthLayoutSupport no_support = {.installed = "/installed"};

static char *make_directory(void)
{
    char *directory = g_dir_make_tmp("berth-layout-XXXXXX", NULL);
    g_assert_nonnull(directory);
    return directory;
}

static void test_xdg_directories(void)
{
    const char *const environment[] = {"HOME=/home/u", "XDG_DATA_HOME=/d", "XDG_CONFIG_HOME=c",
                                       "XDG_CACHE_HOME=", NULL};
    g_autoptr(BerthLayout) layout = berth_layout_new(environment, &no_support, NULL);
    g_assert_cmpstr(layout->data, ==, "/d/berth");
    g_assert_cmpstr(layout->config, ==, "/home/u/.config/berth"); /* relative: ignored */
    g_assert_cmpstr(layout->cache, ==, "/home/u/.cache/berth");
    g_assert_cmpstr(layout->support, ==, "/installed");

    g_autofree char *disk = berth_layout_disk(layout, "0123456789abcdef");
    g_assert_cmpstr(disk, ==, "/d/berth/distros/0123456789abcdef/disk.ext4");
    g_autofree char *template = berth_layout_machine_template(layout, "x86_64");
    g_assert_cmpstr(template, ==, "/installed/templates/machines/x86_64.conf");
}

static char *runtime_for(const char *xdg)
{
    g_autofree char *variable = g_strdup_printf("XDG_RUNTIME_DIR=%s", xdg);
    const char *const environment[] = {"HOME=/home/u", variable, NULL};
    g_autoptr(BerthLayout) layout = berth_layout_new(environment, &no_support, NULL);
    return g_steal_pointer(&layout->runtime);
}

static void test_runtime_directory_fits_socket_paths(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *expected = g_build_filename(directory, "berth", NULL);
    g_autofree char *runtime = runtime_for(directory);
    g_assert_cmpstr(runtime, ==, expected);

    /* A fallback that always fits is used when the directory is too long, missing or another
     * user's. */
    g_autofree char *filler = g_strnfill(80, 'x');
    g_autofree char *deep = g_build_filename(directory, filler, NULL);
    g_assert_cmpint(g_mkdir(deep, 0700), ==, 0);
    const char *const unusable[] = {deep, "/nonexistent", "relative", ""};
    for (gsize i = 0; i < G_N_ELEMENTS(unusable); i++) {
        g_autofree char *fallback = runtime_for(unusable[i]);
        g_autofree char *in_tmp = g_strdup_printf("/tmp/berth-%u", (guint)geteuid());
        g_autofree char *in_run = g_strdup_printf("/run/user/%u/berth", (guint)geteuid());
        g_assert_true(g_str_equal(fallback, in_tmp) || g_str_equal(fallback, in_run));
    }
    g_rmdir(deep);
    g_rmdir(directory);
}

static BerthLayout *layout_for(const char *data, const char *runtime)
{
    g_autofree char *data_variable = g_strdup_printf("XDG_DATA_HOME=%s", data);
    g_autofree char *variable = g_strdup_printf("XDG_RUNTIME_DIR=%s", runtime);
    const char *const environment[] = {"HOME=/home/u", data_variable, variable, NULL};
    return berth_layout_new(environment, &no_support, NULL);
}

/* Every login finds the runtime directory of the last start while it exists. */
static void test_runtime_is_found_through_the_data_directory(void)
{
    g_autofree char *root = make_directory();
    g_autofree char *first = g_build_filename(root, "first", NULL);
    g_autofree char *second = g_build_filename(root, "second", NULL);
    g_mkdir(first, 0700);
    g_mkdir(second, 0700);
    g_autoptr(BerthLayout) login = layout_for(root, first);
    g_mkdir(login->data, 0700);
    g_mkdir(login->runtime, 0700);
    berth_layout_record_runtime(login);
    g_autoptr(BerthLayout) cron = layout_for(root, second);
    g_assert_cmpstr(cron->runtime, ==, login->runtime);

    g_rmdir(login->runtime); /* at logout */
    g_autoptr(BerthLayout) later = layout_for(root, second);
    g_assert_true(g_str_has_prefix(later->runtime, second));
    g_mkdir(later->runtime, 0700);
    berth_layout_record_runtime(later);
    g_autoptr(BerthLayout) again = layout_for(root, first);
    g_assert_cmpstr(again->runtime, ==, later->runtime);

    g_autofree char *command = g_strdup_printf("rm -r '%s'", root);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
}

static void test_support_is_beside_the_program(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *program = g_build_filename(directory, "berth", NULL);
    g_autofree char *keeper = g_build_filename(directory, "berth-keeper", NULL);
    const BerthLayoutSupport support = {.code = program, .installed = "/installed"};
    const char *const environment[] = {"HOME=/home/u", NULL};

    g_autoptr(BerthLayout) installed = berth_layout_new(environment, &support, NULL);
    g_assert_cmpstr(installed->support, ==, "/installed");

    g_assert_true(g_file_set_contents(keeper, "", 0, NULL));
    g_assert_cmpint(g_chmod(keeper, 0700), ==, 0);
    g_autoptr(BerthLayout) beside = berth_layout_new(environment, &support, NULL);
    g_assert_cmpstr(beside->support, ==, directory);

    const char *const chosen_environment[] = {"HOME=/home/u", "BERTH_SUPPORT_DIR=/chosen", NULL};
    g_autoptr(BerthLayout) chosen = berth_layout_new(chosen_environment, &support, NULL);
    g_assert_cmpstr(chosen->support, ==, "/chosen");

    g_unlink(keeper);
    g_rmdir(directory);
}

/* Create @directory/@name with its parents, as a program. */
static void make_program(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(g_chmod(path, 0700), ==, 0);
}

static void test_support_is_found_where_an_installation_was_moved(void)
{
    g_autofree char *root = make_directory();
    const char *const environment[] = {"HOME=/home/u", NULL};
    const struct {
        const char *code, *relative, *keeper, *expected;
    } cases[] = {
        {"bin/berth", "../lib/arch/berth", "lib/arch/berth/berth-keeper", "lib/arch/berth"},
        {"lib/arch/libberth.so.0", "../lib/arch/berth", "lib/arch/berth/berth-keeper",
         "lib/arch/berth"},
        {"bin/berth", "../lib/other/berth", "lib/arch/berth/berth-keeper", NULL},
        {"bin/berth", NULL, "lib/arch/berth/berth-keeper", NULL},
        {"deep/er/bin/berth", "../lib/arch/berth", "lib/arch/berth/berth-keeper", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *code = g_build_filename(root, cases[i].code, NULL);
        g_autofree char *expected = cases[i].expected != NULL
                                        ? g_build_filename(root, cases[i].expected, NULL)
                                        : g_strdup("/installed");
        const BerthLayoutSupport support = {code, cases[i].relative, "/installed"};
        g_autoptr(BerthLayout) before = berth_layout_new(environment, &support, NULL);
        g_assert_cmpstr(before->support, ==, "/installed");

        make_program(root, cases[i].keeper);
        g_autoptr(BerthLayout) layout = berth_layout_new(environment, &support, NULL);
        g_assert_cmpstr(layout->support, ==, expected);
        g_autofree char *command = g_strdup_printf("rm -r '%s'/lib", root);
        g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    }
    g_rmdir(root);
}

static void test_directories_are_made_private(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *parent = g_build_filename(directory, "a", NULL);
    g_autofree char *path = g_build_filename(parent, "berth", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_layout_make_private(path, &error));
    g_assert_no_error(error);
    g_assert_true(berth_layout_make_private(path, &error)); /* already existing */

    struct stat st;
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 0777, ==, 0700);

    g_assert_cmpint(g_chmod(path, 0755), ==, 0);
    g_assert_true(berth_layout_make(path, &error));
    g_assert_false(berth_layout_make_private(path, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "layout.mode");
    g_rmdir(path);
    g_rmdir(parent);
    g_rmdir(directory);
}

static void test_foreign_files_are_refused(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *file = g_build_filename(directory, "file", NULL);
    g_autofree char *below = g_build_filename(file, "berth", NULL);
    g_autofree char *link = g_build_filename(directory, "link", NULL);
    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    g_assert_cmpint(symlink("/nonexistent/berth", link), ==, 0);

    const char *const bad[] = {file, below, link};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_layout_make(bad[i], &error));
        g_assert_nonnull(strstr(error->message, bad[i]));
    }

    /* A private directory must not be reached through a link, which another user could have
     * created. */
    g_autofree char *target = g_build_filename(directory, "target", NULL);
    g_autofree char *linked = g_build_filename(directory, "linked", NULL);
    g_assert_cmpint(g_mkdir(target, 0700), ==, 0);
    g_assert_cmpint(symlink(target, linked), ==, 0);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_layout_make(linked, NULL));
    g_assert_false(berth_layout_make_private(linked, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "layout.mode");

    g_unlink(link);
    g_unlink(linked);
    g_unlink(file);
    g_rmdir(target);
    g_rmdir(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/layout/xdg-directories", test_xdg_directories);
    g_test_add_func("/store/layout/runtime-directory-fits-socket-paths",
                    test_runtime_directory_fits_socket_paths);
    g_test_add_func("/store/layout/runtime-is-found-through-the-data-directory",
                    test_runtime_is_found_through_the_data_directory);
    g_test_add_func("/store/layout/support-is-beside-the-program",
                    test_support_is_beside_the_program);
    g_test_add_func("/store/layout/support-is-found-where-an-installation-was-moved",
                    test_support_is_found_where_an_installation_was_moved);
    g_test_add_func("/store/layout/directories-are-made-private",
                    test_directories_are_made_private);
    g_test_add_func("/store/layout/foreign-files-are-refused", test_foreign_files_are_refused);
    return g_test_run();
}
