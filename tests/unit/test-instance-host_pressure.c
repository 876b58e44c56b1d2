/* SPDX-License-Identifier: MIT */
#include "instance/host/host_pressure.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_pressure(gpointer data)
{
    ++*(guint *)data;
}

/* The kernel wakes the watcher with POLLPRI, as of a socket's urgent data. */
static void test_each_event_is_reported(void)
{
    guint count = 0;
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), peer = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &size), ==, 0);
    g_assert_cmpint(connect(peer, (struct sockaddr *)&address, size), ==, 0);
    int fd = accept(listener, NULL, NULL);
    BerthHostPressure *pressure = berth_host_pressure_new_of(fd, on_pressure, &count);
    for (guint i = 1; i <= 3; i++) {
        char byte;
        g_assert_cmpint(send(peer, "!", 1, MSG_OOB), ==, 1);
        while (count == 0)
            g_main_context_iteration(NULL, TRUE);
        g_assert_cmpint(recv(fd, &byte, 1, MSG_OOB), ==, 1); /* the kernel clears its own event */
        while (g_main_context_iteration(NULL, FALSE))
            ;
        count = 0;
    }
    berth_host_pressure_free(pressure);
    close(listener);
    close(peer);
}

static void test_the_trigger(void)
{
    static const char wanted[] = "some 200000 2000000";
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autofree char *dir = g_dir_make_tmp("berth-pressure-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "memory", NULL);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    BerthHostPressure *pressure = berth_host_pressure_new(path, on_pressure, NULL);
    berth_host_pressure_free(pressure);
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    g_assert_cmpmem(text, size, wanted, sizeof(wanted));
    g_unlink(path);
    g_rmdir(dir);
}

static void test_nothing_to_watch(void)
{
    guint count = 0;
    BerthHostPressure *pressure = berth_host_pressure_new("/nowhere/memory", on_pressure, &count);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(count, ==, 0);
    berth_host_pressure_free(pressure);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-pressure/events", test_each_event_is_reported);
    g_test_add_func("/host-pressure/trigger", test_the_trigger);
    g_test_add_func("/host-pressure/nothing", test_nothing_to_watch);
    return g_test_run();
}
