/* SPDX-License-Identifier: MIT
 *
 * Crontabs as files of lines, and which of their commands are worth a wake.
 */
#include "timers/cron_command.h"
#include "timers/crontab.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW  1796025600 /* 2026-11-30 08:00 UTC */
#define HOUR 3600
#define DAY  (24 * HOUR)

static const CrontabStyle users = {false, false}, system_style = {true, false},
                          zoned = {false, true};

static bool is_never_idle(void *data, const char *command)
{
    return false;
}

/* Hours from NOW; -1: nothing is due within 20 days. */
static double hours(const char *text, const CrontabStyle *style)
{
    setenv("TZ", "UTC0", 1);
    tzset();
    time_t next = crontab_next(text, style, is_never_idle, NULL, NOW, NOW + 20 * DAY);
    g_assert_cmpstr(getenv("TZ"), ==, "UTC0");
    return next < 0 ? -1 : (double)(next - NOW) / HOUR;
}

static void test_lines(void)
{
    g_assert_cmpfloat(hours("", &users), ==, -1);
    g_assert_cmpfloat(hours("0 9 * * * true", &users), ==, 1);
    g_assert_cmpfloat(hours("# 0 9 * * * true\n\n  \t\r\n0 10 * * * true\n", &users), ==, 2);
    g_assert_cmpfloat(hours("0 11 * * * a\n0 10 * * * b\n0 12 * * * c\n", &users), ==, 2);
    g_assert_cmpfloat(hours("MAILTO=root\nPATH = /bin\n\"A\"='1 2'\n0 10 * * * X=1 b\n", &users),
                      ==, 2);
    g_assert_cmpfloat(hours("nonsense\n61 * * * * x\n0 10 * * * b", &users), ==, 2);
    g_assert_cmpfloat(hours("0 10 * * *", &users), ==, -1); /* without a command */
    g_assert_cmpfloat(hours("0 10 * * * root", &system_style), ==, -1);
    g_assert_cmpfloat(hours("0 10 * * * root true", &system_style), ==, 2);
    g_assert_cmpfloat(hours("@daily root true\n@reboot root now", &system_style), ==, 16);
}

static void test_zones(void)
{
    const char *text = "0 20 * * * a\nCRON_TZ=EST5\n0 5 * * * b\nCRON_TZ = 'JST-9'\n0 10 * * * c\n";
    g_assert_cmpfloat(hours(text, &users), ==, 2);
    g_assert_cmpfloat(hours(text, &zoned), ==, 2); /* b at 10 in UTC, c at 25 */
    g_assert_cmpfloat(hours("CRON_TZ=EST5\n0 6 * * * b\n", &zoned), ==, 3);
    g_assert_cmpfloat(hours("CRON_TZ=/etc/shadow\n0 9 * * * b\n", &zoned), ==, 1);
    g_assert_cmpfloat(hours("CRON_TZ=:x\nCRON_TZ=a/../b\nCRON_TZ=\n0 9 * * * b\n", &zoned), ==, 1);
    g_assert_cmpfloat(hours("CRON_TZX=EST5\n0 9 * * * b\n", &zoned), ==, 1);
}

static void test_count(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < CRONTAB_JOBS_MAX; i++)
        g_string_append(text, "0 0 31 2 * x\n");
    g_autofree char *more = g_strconcat("0 10 * * * x\n", text->str, NULL);
    g_string_append(text, "0 9 * * * x\n");
    g_assert_cmpfloat(hours(text->str, &users), ==, -1);
    g_assert_cmpfloat(hours(more, &users), ==, 2);
}

/* --- commands --------------------------------------------------------------------------------- */

typedef struct {
    char *path;
    int fd;
} Root;

static void make(const Root *root, const char *name, int mode)
{
    g_autofree char *path = g_build_filename(root->path, name, NULL);
    g_autofree char *directory = g_path_get_dirname(path);
    g_mkdir_with_parents(directory, 0755);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void make_root(Root *root, gconstpointer data)
{
    root->path = g_dir_make_tmp("timers-XXXXXX", NULL);
    make(root, "usr/sbin/anacron", 0755);
    make(root, "etc/file", 0644);
    make(root, "etc/empty/.placeholder", 0755);
    make(root, "etc/upkeep/man-db", 0755);
    make(root, "etc/data/README", 0644);
    make(root, "etc/work/man-db", 0755);
    make(root, "etc/work/backup", 0755);
    root->fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;
    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        remove_tree(inner);
    }
    g_remove(path);
}

static void remove_root(Root *root, gconstpointer data)
{
    close(root->fd);
    remove_tree(root->path);
    g_free(root->path);
}

static void test_commands(Root *root, gconstpointer data)
{
    static const struct {
        const char *command;
        bool is_idle;
    } rows[] = {
        {"/usr/bin/backup", false},
        {"cd / && run-parts --report /etc/empty", true},
        {"cd / && run-parts --report /etc/none", true},
        {"run-parts /etc/upkeep", true},
        {"run-parts /etc/data", true},
        {"run-parts /etc/work", false},
        {"run-parts /etc/empty && /usr/bin/backup", false},
        {"test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/work; }", true},
        {"test -x /usr/sbin/none || ( cd / && run-parts --report /etc/work )", false},
        {"test -x /usr/sbin/none || ( cd / && run-parts --report /etc/empty )", true},
        {"test -x /etc/file || x", false},
        {"test -e /etc/file || x", true},
        {"test -d /etc/file || x", false},
        {"test -d /etc/work || x", true},
        {"[ -x /usr/sbin/none ] && x", true},
        {"[ -x /usr/sbin/anacron ] && x", false},
        {"[ ! -e /etc/file ] && x", true},
        {"[ -e /etc/file ] || x", true},
        {"[ -e /etc/file || x", false},
        {"test", false},
        {"test -", false},
        {"test -e", false},
        {"test -e relative || x", false},
        {"test -e /$HOME || x", false},
        {"[ ", false},
        {"run-parts ", false},
        {"run-parts relative", false},
        {"run-parts /", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (cron_command_is_idle(root->fd, rows[i].command) != rows[i].is_idle)
            g_error("%s", rows[i].command);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/crontab/lines", test_lines);
    g_test_add_func("/berth-guest/crontab/zones", test_zones);
    g_test_add_func("/berth-guest/crontab/count", test_count);
    g_test_add("/berth-guest/crontab/commands", Root, NULL, make_root, test_commands, remove_root);
    return g_test_run();
}
