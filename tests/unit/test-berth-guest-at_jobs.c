/* SPDX-License-Identifier: MIT
 *
 * Jobs of at(1): their names, and which of a spool is next.
 */
#include "timers/at_jobs.h"

#include "os/clock.h"

#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW    1796025600 /* 2026-11-30 08:00 UTC */
#define MINUTE 60
#define DAY    86400

static void test_names(void)
{
    static const struct {
        const char *name;
        bool is_job;
        guint32 number;
        gint64 minute;
    } rows[] = {
        {"a0000101c8d1a0", true, 1, 0x1c8d1a0},
        {"b000ff01C8D1A0", true, 255, 0x1c8d1a0},
        {"Afffffffffffff", true, 0xfffff, 0xffffffff},
        {"z0000000000000", true, 0, 0},
        {"=0000101c8d1a0", false, 0, 0},
        {"a0000101c8d1a", false, 0, 0},
        {"a0000101c8d1a00", false, 0, 0},
        {"a0000101c8d1ag", false, 0, 0},
        {"a00 0101c8d1a0", false, 0, 0},
        {"a-000101c8d1a0", false, 0, 0},
        {".SEQ", false, 0, 0},
        {"", false, 0, 0},
        {".", false, 0, 0},
        {"..", false, 0, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint32 number = 0;
        gint64 sec = 0;
        g_assert_cmpint(at_jobs_parse(rows[i].name, &number, &sec), ==, rows[i].is_job);
        if (!rows[i].is_job)
            continue;
        g_assert_cmpuint(number, ==, rows[i].number);
        g_assert_cmpint(sec, ==, rows[i].minute * 60);
    }
}

/* --- a distro --------------------------------------------------------------------------------- */

typedef struct {
    char *path;
    int root;
} Distro;

static void put(const Distro *distro, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(distro->path, name, NULL);
    g_autofree char *directory = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void add_job(const Distro *distro, const char *spool, guint number, gint64 sec)
{
    g_autofree char *name =
        g_strdup_printf("%s/a%05x%08" G_GINT64_MODIFIER "x", spool, number, sec / 60);
    put(distro, name, "#!/bin/sh\n");
}

static void set_daemon(const Distro *distro, pid_t pid, const char *name)
{
    g_autofree char *line = g_strdup_printf("%d\n", (int)pid);
    g_autofree char *comm = g_strdup_printf("proc/%d/comm", (int)pid);
    g_autofree char *command = g_strdup_printf("%s\n", name);
    put(distro, "run/atd.pid", line);
    put(distro, comm, command);
}

static void set_up(Distro *distro, gconstpointer data)
{
    distro->path = g_dir_make_tmp("berth-at-XXXXXX", NULL);
    distro->root = open(distro->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    set_daemon(distro, 77, "atd");
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static void tear_down(Distro *distro, gconstpointer data)
{
    close(distro->root);
    nftw(distro->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    g_free(distro->path);
}

static Due next(const Distro *distro)
{
    Due due;
    at_jobs_next(distro->root, NOW, NOW + 400 * DAY, clock_boottime_usec() + G_USEC_PER_SEC * 60,
                 &due);
    return due;
}

static void test_the_next_one(Distro *distro, gconstpointer data)
{
    const char *spool = data;
    g_assert_cmpint(next(distro).sec, ==, 0);
    add_job(distro, spool, 3, NOW + 5 * MINUTE);
    add_job(distro, spool, 10, NOW + 2 * MINUTE);
    add_job(distro, spool, 1, NOW);             /* atd has it already */
    add_job(distro, spool, 2, NOW + 500 * DAY); /* nobody looks so far ahead */
    Due due = next(distro);
    g_assert_cmpint(due.sec, ==, NOW + 2 * MINUTE);
    g_assert_cmpstr(due.name, ==, "at job 10");
    g_assert_cmpuint(due.lead_sec, >, 0);
    g_assert_cmpuint(due.hold_sec, >, 0);
}

static void test_without_a_daemon(Distro *distro, gconstpointer data)
{
    add_job(distro, "var/spool/cron/atjobs", 1, NOW + MINUTE);
    g_assert_cmpint(next(distro).sec, ==, NOW + MINUTE);
    set_daemon(distro, 77, "sh"); /* an old file, whose number is another process's */
    g_assert_cmpint(next(distro).sec, ==, 0);
    static const char *const lines[] = {"", "0\n", "1\n", "-77\n", "x\n", "99999999999\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        put(distro, "run/atd.pid", lines[i]);
        g_assert_cmpint(next(distro).sec, ==, 0);
    }
}

static void test_what_is_no_spool(Distro *distro, gconstpointer data)
{
    put(distro, "var/spool/cron/atjobs", "a file\n");
    put(distro, "var/spool/at/.SEQ", "0001e\n");
    put(distro, "var/spool/at/=0000101c8d1a0", "it runs\n");
    g_assert_cmpint(next(distro).sec, ==, 0);
}

static void test_a_deadline_that_is_over(Distro *distro, gconstpointer data)
{
    Due due;
    add_job(distro, "var/spool/at", 1, NOW + MINUTE);
    at_jobs_next(distro->root, NOW, NOW + DAY, 0, &due);
    g_assert_cmpint(due.sec, ==, 0);
}

/* --- the daemon after a wake ------------------------------------------------------------------ */

static void test_the_daemon_is_woken(Distro *distro, gconstpointer data)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGHUP, SIG_DFL);
        for (;;)
            pause();
    }
    set_daemon(distro, pid, "other");
    at_jobs_nudge(distro->path); /* it would die of the signal */
    g_assert_cmpint(waitpid(pid, &status, WNOHANG), ==, 0);
    set_daemon(distro, pid, "atd");
    at_jobs_nudge(distro->path);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGHUP);
    at_jobs_nudge("/nowhere");
}

#define ADD(name, data, func)                                                                      \
    g_test_add("/berth-guest/at_jobs/" name, Distro, data, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/at_jobs/names", test_names);
    ADD("debian", "var/spool/cron/atjobs", test_the_next_one);
    ADD("fedora", "var/spool/at", test_the_next_one);
    ADD("suse", "var/spool/atjobs", test_the_next_one);
    ADD("no-daemon", NULL, test_without_a_daemon);
    ADD("no-spool", NULL, test_what_is_no_spool);
    ADD("deadline", NULL, test_a_deadline_that_is_over);
    ADD("woken", NULL, test_the_daemon_is_woken);
    return g_test_run();
}
