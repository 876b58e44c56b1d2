/* SPDX-License-Identifier: MIT
 *
 * Sleep and wake need a bus: tests/cli/test_host_sleep.py.
 */
#include "instance/host/host_sleep.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

static void test_only_an_address_of_a_socket_counts(void)
{
    static const struct {
        const char *wanted, *address;
    } rows[] = {
        {NULL, SYSTEM_BUS},
        {"", SYSTEM_BUS},
        {"unix:path=/tmp/bus", "unix:path=/tmp/bus"},
        {"unix:abstract=bus", "unix:abstract=bus"},
        {"unixexec:path=/bin/true", SYSTEM_BUS},
        {"unix:path=/nowhere;unixexec:path=/bin/true", SYSTEM_BUS},
        {"autolaunch:", SYSTEM_BUS},
        {"nonce-tcp:host=localhost,port=1", SYSTEM_BUS},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpstr(berth_host_sleep_address(rows[i].wanted), ==, rows[i].address);
}

static void not_called(gpointer user_data)
{
    g_assert_not_reached();
}

static void not_refused(const char *problem, gpointer user_data)
{
    g_assert_not_reached();
}

static const BerthHostSleepEvents no_events = {not_called, not_called, not_refused};

static gboolean on_connection(GSocketService *service, GSocketConnection *connection,
                              GObject *source, gpointer user_data)
{
    *(GSocketConnection **)user_data = g_object_ref(connection);
    return TRUE;
}

static void test_the_end_while_it_joins_the_bus(void)
{
    g_autofree char *directory = g_dir_make_tmp("berth-sleep-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "bus", NULL);
    g_autofree char *address = g_strconcat("unix:path=", path, NULL);
    g_autoptr(GSocketService) service = g_socket_service_new();
    g_autoptr(GSocketAddress) place = g_unix_socket_address_new(path);
    g_autoptr(GSocketConnection) peer = NULL;
    g_autoptr(GError) error = NULL;
    g_socket_listener_add_address(G_SOCKET_LISTENER(service), place, G_SOCKET_TYPE_STREAM,
                                  G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
    g_assert_no_error(error);
    g_signal_connect(service, "incoming", G_CALLBACK(on_connection), &peer);

    BerthHostSleep *sleep = berth_host_sleep_new(address, "a test", &no_events, NULL);
    while (peer == NULL) /* a bus that says nothing */
        g_main_context_iteration(NULL, TRUE);
    berth_host_sleep_ready(sleep);
    berth_host_sleep_free(sleep);
    g_io_stream_close(G_IO_STREAM(peer), NULL, NULL);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_socket_service_stop(service);
    g_socket_listener_close(G_SOCKET_LISTENER(service));
    g_assert_cmpint(g_remove(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void test_no_bus(void)
{
    BerthHostSleep *sleep =
        berth_host_sleep_new("unix:path=/nowhere/bus", "a test", &no_events, NULL);
    for (int i = 0; i < 3; i++) /* the answer, and the timer until it is tried again */
        g_main_context_iteration(NULL, TRUE);
    berth_host_sleep_free(sleep);
    berth_host_sleep_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-sleep/address", test_only_an_address_of_a_socket_counts);
    g_test_add_func("/host-sleep/end-while-joining", test_the_end_while_it_joins_the_bus);
    g_test_add_func("/host-sleep/no-bus", test_no_bus);
    return g_test_run();
}
