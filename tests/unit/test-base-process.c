/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* A fake /proc: process 7 has a file and a socket open, 8 nothing. */
typedef struct {
    char *proc;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->proc = g_dir_make_tmp("berth-process-XXXXXX", NULL);
    for (const char *const *name = (const char *const[]){"7", "7/fd", "8", "8/fd", "net", NULL};
         *name != NULL; name++) {
        g_autofree char *path = g_build_filename(fixture->proc, *name, NULL);
        g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    }
    g_autofree char *file = g_build_filename(fixture->proc, "7/fd/0", NULL);
    g_autofree char *socket = g_build_filename(fixture->proc, "7/fd/12", NULL);
    g_assert_cmpint(symlink("/dev/null", file), ==, 0);
    g_assert_cmpint(symlink("socket:[99]", socket), ==, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    for (const char *const *name =
             (const char *const[]){"7/fd/0", "7/fd/12", "7/fd", "7", "8/fd", "8", "net", "", NULL};
         *name != NULL; name++) {
        g_autofree char *path = g_build_filename(fixture->proc, *name, NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    g_free(fixture->proc);
}

static bool is_link_to(const char *link, gconstpointer wanted)
{
    char target[32] = "";
    return readlink(link, target, sizeof(target) - 1) > 0 && strcmp(target, wanted) == 0;
}

static bool has(const Fixture *fixture, const char *pid, const char *wanted)
{
    g_autofree char *process = g_build_filename(fixture->proc, pid, NULL);
    return berth_process_any_fd(process, is_link_to, wanted);
}

static void test_descriptors(Fixture *fixture, gconstpointer data)
{
    g_assert_true(has(fixture, "7", "/dev/null"));
    g_assert_true(has(fixture, "7", "socket:[99]"));
    g_assert_false(has(fixture, "7", "socket:[9]"));
    g_assert_false(has(fixture, "8", "/dev/null"));
    g_assert_false(has(fixture, "9", "/dev/null"));
}

static void test_processes(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GDir) proc = g_dir_open(fixture->proc, 0, NULL);
    guint sum = 0;
    guint count = 0;
    for (const char *pid; (pid = berth_process_next(proc)) != NULL; count++)
        sum += (guint)g_ascii_strtoull(pid, NULL, 10);
    g_assert_cmpuint(count, ==, 2);
    g_assert_cmpuint(sum, ==, 15);
    g_assert_null(berth_process_next(NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/base/process/descriptors", Fixture, NULL, set_up, test_descriptors, tear_down);
    g_test_add("/base/process/processes", Fixture, NULL, set_up, test_processes, tear_down);
    return g_test_run();
}
