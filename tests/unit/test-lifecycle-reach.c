/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"

#include "lifecycle/reach.h"

#include "base/fd.h"

#include <fcntl.h>

enum { STOPPED, LISTENS, HELD, WITHOUT_DISK, N_DISTROS };

static BerthDistro *new_distro(const char *directory, const char *name)
{
    BerthDistro *distro = berth_distro_new(name);
    distro->disk = files_make(directory, name);
    return distro;
}

static void make_control(const BerthLayout *layout, const BerthDistro *distro)
{
    g_autofree char *directory = g_build_filename(layout->runtime, distro->id, NULL);
    g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
    g_autofree char *control = files_make(directory, "control");
}

/* Lock @distro's disk as its keeper does. */
static int hold(const BerthDistro *distro)
{
    int fd = berth_hold_open(distro, BERTH_HOLD_WRITE, "test", NULL);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(berth_hold_pass(&fd, distro, NULL));
    return fd;
}

/* A keeper is found by its socket or by the lock on its disk; others need not be asked. */
static void test_find_running(void)
{
    static const char *const names[] = {"stopped", "listens", "held", "without-disk"};
    g_autofree char *directory = g_dir_make_tmp("berth-XXXXXX", NULL);
    g_autofree char *runtime = g_build_filename(directory, "run", NULL);
    BerthLayout layout = {.runtime = runtime};
    const Berth berth = {.layout = &layout};
    g_autoptr(GPtrArray) distros =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
    for (guint i = 0; i < N_DISTROS; i++)
        g_ptr_array_add(distros, new_distro(directory, names[i]));
    make_control(&layout, distros->pdata[LISTENS]);
    make_control(&layout, distros->pdata[WITHOUT_DISK]);
    g_assert_cmpint(g_unlink(((BerthDistro *)distros->pdata[WITHOUT_DISK])->disk), ==, 0);
    {
        berth_autofd int fd = hold(distros->pdata[HELD]);
        g_autoptr(GPtrArray) running = berth_reach_find_running(&berth, distros);
        g_assert_cmpuint(running->len, ==, 3);
        g_assert_true(running->pdata[0] == distros->pdata[LISTENS]);
        g_assert_true(running->pdata[1] == distros->pdata[HELD]);
        g_assert_true(running->pdata[2] == distros->pdata[WITHOUT_DISK]);
    }
    g_autoptr(GPtrArray) running = berth_reach_find_running(&berth, distros);
    g_assert_cmpuint(running->len, ==, 2);
    files_remove(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lifecycle/reach/find-running", test_find_running);
    return g_test_run();
}
