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
static guint count_failures(guint processes)
{
    guint failures = 0;
    for (guint i = 0; i < processes; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(parse_in_threads());
        failures += waitpid(pid, &status, 0) != pid || status != 0;
    }
    return failures;
}

static void test_numbers_in_threads(gconstpointer data)
{
    g_assert_cmpuint(*(const guint *)data, ==, 0);
}

int main(int argc, char **argv)
{
    guint failures = count_failures(500); /* g_test_init parses a number */
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/lifecycle/handle/numbers-in-threads", &failures,
                         test_numbers_in_threads);
    return g_test_run();
}
