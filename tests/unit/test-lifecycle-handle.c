/* SPDX-License-Identifier: MIT */
#include "lifecycle/handle.h"

#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4

static gint waiting;

/* Parse a number at the same moment as the other threads. */
static gpointer parse(gpointer data)
{
    BerthJob *job = data;
    guint64 value;
    g_atomic_int_inc(&waiting);
    while (g_atomic_int_get(&waiting) < THREADS)
        ;
    job->result = g_ascii_string_to_unsigned("12", 10, 0, 100, &value, NULL) ? job : NULL;
    return NULL;
}

static int parse_in_threads(void)
{
    g_autoptr(GPtrArray) distros = g_ptr_array_new();
    g_ptr_array_set_size(distros, THREADS);
    g_autoptr(GPtrArray) jobs = berth_handle_for_each(NULL, distros, parse, NULL);
    for (guint i = 0; i < jobs->len; i++)
        if (((const BerthJob *)jobs->pdata[i])->result == NULL)
            return 1;
    return 0;
}

/* GLib makes its locale at a process's first number; each process can get that wrong once. */
static void test_numbers_in_threads(void)
{
    for (int i = 0; i < 500; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(parse_in_threads());
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lifecycle/handle/numbers-in-threads", test_numbers_in_threads);
    return g_test_run();
}
