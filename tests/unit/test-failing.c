/* SPDX-License-Identifier: MIT
 *
 * The keeper and berth-net without descriptors: they leak nothing, do not crash, and accept a
 * waiting client later. See tests/lib/failing.h.
 */
#include "../lib/failing.h"
#include "base/fd.h"
#include "instance/host/host_addresses.h"
#include "instance/host/host_clock.h"
#include "instance/host/host_names.h"
#include "instance/host/host_route.h"
#include "instance/keeper/acceptor.h"
#include "instance/keeper/sockets.h"
#include "net/client.h"
#include "net/dns.h"
#include "net/owner.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void ignore(gpointer data)
{
}

static void run_host(gpointer data)
{
    g_autoptr(GError) error = NULL;
    berth_host_clock_free(berth_host_clock_new("/etc/localtime", ignore, NULL));
    berth_host_route_free(berth_host_route_new("/proc/net/ipv6_route", ignore, NULL));
    berth_host_names_free(
        berth_host_names_new("/etc/resolv.conf", BERTH_HOST_NAMES_HOSTS, ignore, NULL));
    BerthHostAddresses *addresses = berth_host_addresses_new(ignore, NULL, &error);
    g_assert_true((addresses != NULL) == (error == NULL));
    berth_host_addresses_free(addresses);
    berth_autofd int owner = berth_owner_open();
}

static void test_host(void)
{
    g_assert_cmpuint(failing_each(run_host, NULL), >=, 7);
}

static void ignore_answer(const BerthDatagramEnds *ends, const guint8 *message, gsize size,
                          gpointer user_data)
{
    *(guint *)user_data += 1;
}

/* A query to unreachable servers: it fails at once or later. */
static void run_dns(gpointer data)
{
    static const BerthDatagramEnds guest = {.family = 4, .guest_port = 40000, .our_port = 53};
    static const guint8 question[] = {0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
    BerthResolvers servers = {.count = 1, .list = {{.family = 4, .address = {127, 0, 0, 1}}}};
    guint answers = 0;
    g_autoptr(BerthDns) dns = berth_dns_new(1000, ignore_answer, &answers);
    if (dns == NULL)
        return;
    berth_dns_set_servers(dns, &servers);
    berth_dns_ask(dns, &guest, question, sizeof(question));
    g_assert_cmpuint(answers + berth_dns_pending(dns), ==, 1);
}

static void test_dns(void)
{
    g_assert_cmpuint(failing_each(run_dns, NULL), >=, 3);
}

static void run_sockets(gpointer data)
{
    g_autoptr(GError) error = NULL;
    BerthSockets *sockets = berth_sockets_new(data, NULL, NULL, NULL, &error);
    g_assert_true((sockets != NULL) == (error == NULL));
    if (sockets != NULL)
        berth_sockets_set_up(sockets, true);
    berth_sockets_free(sockets);
}

static void test_sockets(void)
{
    g_autofree char *dir = g_dir_make_tmp("berth-failing-XXXXXX", NULL);
    g_assert_cmpuint(failing_each(run_sockets, dir), >=, 2);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void on_exited(BerthNet *net, gpointer data)
{
}

static const BerthNetEvents net_events = {.exited = on_exited};

static void run_net(gpointer data)
{
    int frames[2];
    if (berth_fd_socketpair(SOCK_DGRAM, frames) < 0)
        return;
    g_autoptr(GError) error = NULL;
    const BerthNetSetup setup = {.mtu = 1500, .prefix6 = {0xfd}};
    BerthNet *net = berth_net_new(data, frames[0], &setup, &net_events, NULL, &error);
    g_assert_true((net != NULL) == (error == NULL));
    berth_net_free(net);
    berth_fd_close(&frames[0]);
    berth_fd_close(&frames[1]);
}

static void test_net(void)
{
    g_autofree char *program = g_build_filename(g_getenv("BERTH_TEST_PROGRAMS"), "berth-net", NULL);
    g_assert_cmpuint(failing_each(run_net, program), >=, 2);
}

/* A listening socket, and the number of its accepted clients. */
typedef struct {
    int fd;
    struct sockaddr_un address;
    socklen_t size;
    guint accepted;
} Listening;

static void on_client(int fd, gpointer data)
{
    Listening *listening = data;
    listening->accepted++;
    berth_fd_close(&fd);
}

static void run_acceptor(gpointer data)
{
    Listening *listening = data;
    listening->accepted = 0;
    berth_autofd int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0)
        return;
    g_assert_cmpint(connect(client, (struct sockaddr *)&listening->address, listening->size), ==,
                    0);
    BerthAcceptor *acceptor = berth_acceptor_new(listening->fd, on_client, listening);
    while (listening->accepted == 0)
        g_main_context_iteration(NULL, TRUE);
    berth_acceptor_free(acceptor);
}

/* Single failures only, since the test waits for a client to be accepted. */
static void test_acceptor(void)
{
    Listening listening = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                           .address = {.sun_family = AF_UNIX},
                           .size = sizeof(sa_family_t)};
    g_assert_cmpint(bind(listening.fd, (struct sockaddr *)&listening.address, listening.size), ==,
                    0);
    listening.size = sizeof(listening.address);
    getsockname(listening.fd, (struct sockaddr *)&listening.address, &listening.size);
    g_assert_cmpint(listen(listening.fd, 8), ==, 0);
    g_assert_cmpuint(failing_each_once(run_acceptor, &listening), ==, 2);
    berth_fd_close(&listening.fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/failing/host", test_host);
    g_test_add_func("/failing/dns", test_dns);
    g_test_add_func("/failing/sockets", test_sockets);
    g_test_add_func("/failing/net", test_net);
    g_test_add_func("/failing/acceptor", test_acceptor);
    return g_test_run();
}
