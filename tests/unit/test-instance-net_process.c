/* SPDX-License-Identifier: MIT
 *
 * The keeper's handling of a killed berth-net, also while its guest is suspended.
 */
#include "instance/keeper/net_process.h"

#include "../lib/free_port.h"

#include "base/error.h"
#include "base/fd.h"
#include "model/forward.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    char *dir;
    BerthMachine machine;
    BerthNetProcess *network;
    GPtrArray *listeners;
    guint16 port;
    guint notes;
    guint watched, wakes;
    char *failure; /* the error's id */
} World;

static void on_note(const char *text, gpointer user_data)
{
    ((World *)user_data)->notes++;
}

static void on_failed(const GError *error, gpointer user_data)
{
    g_assert_null(((World *)user_data)->failure);
    ((World *)user_data)->failure = g_strdup(berth_error_id(error));
}

static void on_changed(const GPtrArray *forwards, gpointer user_data)
{
}

static void on_watched(gint64 wait_usec, gpointer user_data)
{
    ((World *)user_data)->watched++;
}

static void on_wake(gpointer user_data)
{
    ((World *)user_data)->wakes++;
}

static const BerthNetProcessEvents events = {.log = on_note,
                                             .failed = on_failed,
                                             .watched = on_watched,
                                             .wake = on_wake,
                                             .changed = on_changed};

static bool can_connect(guint16 port)
{
    berth_autofd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
}

/* This program's only child. */
static pid_t net_pid(void)
{
    g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return atoi(text);
}

static void set_up(World *world, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    *world = (World){.dir = g_dir_make_tmp("berth-network-XXXXXX", NULL), .port = free_port()};
    world->machine = (BerthMachine){
        .id = (char *)"0123456789abcdef0123456789abcdef",
        .mtu = 1500,
        .ports = true,
        .resolv_conf = (char *)"/nonexistent",
    };
    world->listeners = g_ptr_array_new_with_free_func((GDestroyNotify)berth_listener_free);
    BerthListener *listener = g_new0(BerthListener, 1);
    *listener = (BerthListener){
        .family = 4, .protocol = BERTH_TCP, .port = world->port, .owner = g_strdup("")};
    g_ptr_array_add(world->listeners, listener);

    g_autofree char *dir = g_build_filename(world->dir, world->machine.id, NULL);
    world->network = berth_net_process_new(&world->machine, dir, g_getenv("BERTH_TEST_PROGRAMS"),
                                           &events, world, &error);
    g_assert_no_error(error);
    berth_net_process_update(world->network, world->listeners);
    while (!can_connect(world->port))
        g_main_context_iteration(NULL, TRUE);
}

static void tear_down(World *world, gconstpointer data)
{
    berth_net_process_free(world->network);
    g_ptr_array_unref(world->listeners);
    g_rmdir(world->dir);
    g_free(world->dir);
    g_free(world->failure);
}

static void kill_net(void)
{
    pid_t pid = net_pid();
    g_assert_cmpint(pid, >, 0);
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
}

static void test_killed_process_is_replaced_with_its_forwards(World *world, gconstpointer data)
{
    for (guint i = 1; i <= 3; i++) { /* restarted quickly, but not too often */
        kill_net();
        while (world->notes < i || !can_connect(world->port))
            g_main_context_iteration(NULL, TRUE);
    }
    g_assert_null(world->failure);
}

static void test_repeated_kills_end_the_retries(World *world, gconstpointer data)
{
    guint kills = 0;
    while (world->failure == NULL) {
        guint notes = world->notes;
        kill_net();
        kills++;
        while (world->notes == notes && world->failure == NULL)
            g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpstr(world->failure, ==, "net.ended");
    g_assert_cmpuint(kills, ==, 6);
    g_assert_false(can_connect(world->port));
    g_assert_cmpint(net_pid(), ==, 0);
    berth_net_process_update(world->network, world->listeners); /* is ignored */
    g_autoptr(GPtrArray) forwards = berth_net_process_forwards(world->network);
    g_assert_cmpuint(forwards->len, ==, 0);
}

/* Wait until a watch has begun. The client of set_up may wake the guest, too, which does not answer
 * it, but not in the next berth-net. */
static void expect_watch(World *world, guint watched)
{
    while (world->watched < watched)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(world->watched, ==, watched);
}

static void expect_wake(World *world)
{
    while (!can_connect(world->port) || world->wakes == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(world->wakes, ==, 1);
    world->wakes = 0;
}

static void test_killed_process_is_replaced_with_its_watch(World *world, gconstpointer data)
{
    berth_net_process_watch(world->network);
    expect_watch(world, 1);
    kill_net();
    expect_watch(world, 2);
    world->wakes = 0;
    expect_wake(world);

    berth_net_process_unwatch(world->network);
    guint notes = world->notes;
    kill_net();
    while (world->notes == notes || !can_connect(world->port))
        g_main_context_iteration(NULL, TRUE);
    berth_net_process_watch(world->network);
    expect_watch(world, 3);
    expect_wake(world);
}

/* The first berth-net ends before it has answered. */
static void test_watch_begins_in_the_next_process(World *world, gconstpointer data)
{
    guint notes = world->notes;
    kill_net();
    berth_net_process_watch(world->network);
    expect_watch(world, 1);
    expect_wake(world);
    g_assert_cmpuint(world->notes, ==, notes + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/instance/network/killed-process-is-replaced-with-its-forwards", World, NULL,
               set_up, test_killed_process_is_replaced_with_its_forwards, tear_down);
    g_test_add("/instance/network/repeated-kills-end-the-retries", World, NULL, set_up,
               test_repeated_kills_end_the_retries, tear_down);
    g_test_add("/instance/network/killed-process-is-replaced-with-its-watch", World, NULL, set_up,
               test_killed_process_is_replaced_with_its_watch, tear_down);
    g_test_add("/instance/network/watch-begins-in-the-next-process", World, NULL, set_up,
               test_watch_begins_in_the_next_process, tear_down);
    return g_test_run();
}
