/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "instance/keeper/console.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static off_t size_of(const char *path)
{
    struct stat status = {0};
    return stat(path, &status) == 0 ? status.st_size : -1;
}

static void test_log_is_bounded_and_keeps_the_end(void)
{
    g_autofree char *dir = g_dir_make_tmp("berth-console-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "console.log", NULL);
    g_autofree char *old_path = g_strconcat(path, ".old", NULL);

    BerthConsole *console = berth_console_new(path, 1000);
    for (int i = 0; i < 500; i++)
        berth_console_log(console, "line %d", i);
    berth_console_free(console);

    g_assert_cmpint(size_of(path), <=, 500);
    g_assert_cmpint(size_of(old_path), <=, 500);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "line 499\n"));

    unlink(path);
    unlink(old_path);
    rmdir(dir);
}

static void test_last_lines_are_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("berth-console-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "console.log", NULL);
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);

    BerthConsole *console = berth_console_new(path, 4096);
    berth_console_attach(console, pair[0]);
    g_assert_cmpint(berth_fd_write_all(pair[1], "Kernel panic\n", 13), ==, 0);
    close(pair[1]);
    berth_console_free(console); /* without a run of the main loop */

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "Kernel panic\n");
    unlink(path);
    rmdir(dir);
}

static void test_panic_is_recognised(void)
{
    static const char lines[] = "[    0.1] Kernel command line: panic=-1\r\n"
                                "[    0.9] Kernel panic - not syncing: Fatal \033exception\r\n"
                                "[    1.0] Kernel panic - not syncing: a second one\r\n";
    int pair[2];
    BerthConsole *console = berth_console_new("/nonexistent/console.log", 4096);
    g_assert_null(berth_console_panic(console));

    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    berth_console_attach(console, pair[0]);
    g_assert_null(berth_console_panic(console));
    for (gsize i = 0; i < strlen(lines); i++) { /* byte by byte, as a serial port delivers */
        g_assert_cmpint(berth_fd_write_all(pair[1], lines + i, 1), ==, 0);
        if (i == 30)
            g_assert_null(berth_console_panic(console));
    }
    close(pair[1]);
    g_assert_cmpstr(berth_console_panic(console), ==, "Fatal  exception");

    /* the next QEMU starts anew */
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    berth_console_attach(console, pair[0]);
    g_assert_null(berth_console_panic(console));
    close(pair[1]);
    berth_console_free(console);
}

static void test_unwritable_log_is_ignored(void)
{
    BerthConsole *console = berth_console_new("/nonexistent/console.log", 4096);
    berth_console_log(console, "lost");
    berth_console_free(console);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/console/log-is-bounded-and-keeps-the-end",
                    test_log_is_bounded_and_keeps_the_end);
    g_test_add_func("/instance/console/last-lines-are-kept", test_last_lines_are_kept);
    g_test_add_func("/instance/console/panic-is-recognised", test_panic_is_recognised);
    g_test_add_func("/instance/console/unwritable-log-is-ignored", test_unwritable_log_is_ignored);
    return g_test_run();
}
