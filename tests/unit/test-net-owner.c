/* SPDX-License-Identifier: MIT */
#include "net/owner.h"

#include "base/fd.h"
#include "net/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY    65534
#define WAIT_MSEC 10000

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

static socklen_t loopback(int family, guint16 port, Address *address)
{
    *address = (Address){0};
    address->any.sa_family = (sa_family_t)family;
    address->v4.sin_port = htons(port);
    if (family == AF_INET)
        address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address->v6.sin6_addr = in6addr_loopback;
    return family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static int listen_somewhere(int family, guint16 *ret_port)
{
    Address address;
    socklen_t size = loopback(family, 0, &address);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, &address.any, size), ==, 0);
    g_assert_cmpint(listen(fd, 8), ==, 0);
    g_assert_cmpint(getsockname(fd, &address.any, &size), ==, 0);
    *ret_port = ntohs(address.v4.sin_port);
    return fd;
}

static int connect_to(int family, guint16 port)
{
    Address address;
    socklen_t size = loopback(family, port, &address);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, &address.any, size), ==, 0);
    return fd;
}

/* Run a process as another user; 0 where that is not permitted. */
static pid_t start_as_nobody(int (*run)(guint16 port), guint16 port)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(setuid(NOBODY) == 0 ? run(port) : 99);
    return pid;
}

static int exit_status(pid_t pid)
{
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_own_connections(void)
{
    static const int families[] = {AF_INET, AF_INET6};
    berth_autofd int diag = berth_owner_open();
    g_assert_cmpint(diag, >=, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        guint16 port;
        uid_t uid = 4711;
        berth_autofd int listener = listen_somewhere(families[i], &port);
        berth_autofd int client = connect_to(families[i], port);
        berth_autofd int accepted = accept(listener, NULL, NULL);
        g_assert_cmpint(berth_owner_find(diag, accepted, &uid), ==, BERTH_OWNER_FOUND);
        g_assert_cmpuint(uid, ==, getuid());
    }
}

/* By a dual-stack IPv6 socket, as many programs do. */
static void test_mapped_client(void)
{
    berth_autofd int diag = berth_owner_open();
    guint16 port;
    uid_t uid = 4711;
    berth_autofd int listener = listen_somewhere(AF_INET, &port);
    berth_autofd int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
    g_assert_cmpint(inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.v6.sin6_addr), ==, 1);
    g_assert_cmpint(connect(client, &address.any, sizeof(address.v6)), ==, 0);
    berth_autofd int accepted = accept(listener, NULL, NULL);
    g_assert_cmpint(berth_owner_find(diag, accepted, &uid), ==, BERTH_OWNER_FOUND);
    g_assert_cmpuint(uid, ==, getuid());
}

/* The kernel would report root. */
static void test_closed_connection_has_no_owner(void)
{
    berth_autofd int diag = berth_owner_open();
    guint16 port;
    uid_t uid = 4711;
    berth_autofd int listener = listen_somewhere(AF_INET, &port);
    int client = connect_to(AF_INET, port);
    close(client);
    berth_autofd int accepted = accept(listener, NULL, NULL);
    g_assert_cmpint(berth_owner_find(diag, accepted, &uid), ==, BERTH_OWNER_UNKNOWN);
    g_assert_cmpuint(uid, ==, 4711);
    g_assert_cmpint(berth_owner_find(diag, listener, &uid), ==, BERTH_OWNER_UNKNOWN);
    g_assert_cmpint(berth_owner_find(diag, -1, &uid), ==, BERTH_OWNER_UNKNOWN);
}

static int wait_for_end(guint16 port)
{
    char byte;
    int fd = connect_to(AF_INET, port);
    return read(fd, &byte, 1) == 0 ? 0 : errno;
}

static void test_another_user(void)
{
    berth_autofd int diag = berth_owner_open();
    guint16 port;
    uid_t uid = 4711;
    berth_autofd int listener = listen_somewhere(AF_INET, &port);
    pid_t pid = start_as_nobody(wait_for_end, port);
    int accepted = accept(listener, NULL, NULL);
    g_assert_cmpint(berth_owner_find(diag, accepted, &uid), ==, BERTH_OWNER_FOUND);
    g_assert_cmpuint(uid, ==, NOBODY);
    close(accepted);
    g_assert_cmpint(exit_status(pid), ==, 0);
}

/* --- in berth-net ----------------------------------------------------------------------------- */

static void on_done(int errnum, gpointer user_data)
{
    *(int *)user_data = errnum;
}

static int add(BerthNet *net, BerthProtocol protocol, guint16 port)
{
    const BerthLeg leg = {.protocol = protocol,
                          .family = 4,
                          .host = {127, 0, 0, 1},
                          .guest = {10, 0, 2, 15},
                          .host_port = port,
                          .guest_port = port};
    int result = -1;
    berth_net_add(net, &leg, on_done, &result);
    while (result < 0)
        g_main_context_iteration(NULL, TRUE);
    return result;
}

/* A port that nothing listens on, forwarded: another program may take it in between. */
static guint16 forward_a_free_port(BerthNet *net)
{
    guint16 port;
    int result = EADDRINUSE;
    while (result == EADDRINUSE) {
        close(listen_somewhere(AF_INET, &port));
        result = add(net, BERTH_TCP, port);
    }
    g_assert_cmpint(result, ==, 0);
    return port;
}

/* The errno with which a connection ends, 98 at its end of file; 0 once berth-net has sent a frame
   to the guest for it. */
static int try_connection(guint16 port, int guest)
{
    char frame[2048];
    while (guest >= 0 && recv(guest, frame, sizeof(frame), MSG_DONTWAIT) > 0)
        ;
    berth_autofd int fd = connect_to(AF_INET, port);
    if (send(fd, "hello", 5, MSG_NOSIGNAL) < 0)
        return errno;
    struct pollfd entries[] = {{.fd = fd, .events = POLLIN}, {.fd = guest, .events = POLLIN}};
    if (poll(entries, G_N_ELEMENTS(entries), WAIT_MSEC) <= 0)
        return ETIMEDOUT;
    if (entries[0].revents == 0)
        return 0;
    return read(fd, frame, 1) == 0 ? 98 : errno;
}

static int try_as_another_user(guint16 port)
{
    return try_connection(port, -1);
}

static void test_other_users_are_reset(void)
{
    int frames[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, frames), ==, 0);
    g_autofree char *path = g_build_filename(g_getenv("BERTH_TEST_PROGRAMS"), "berth-net", NULL);
    const BerthNetSetup setup = {.mtu = 1500, .prefix6 = {0xfd}, .owner_only = true};
    const BerthNetEvents events = {NULL, NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthNet) net = berth_net_new(path, frames[0], &setup, &events, NULL, &error);
    g_assert_no_error(error);

    guint16 port = forward_a_free_port(net);
    g_assert_cmpint(add(net, BERTH_UDP, port), ==, EPERM);
    g_assert_cmpint(try_connection(port, frames[1]), ==, 0);
    for (guint i = 0; i < 20 && getuid() == 0; i++)
        g_assert_cmpint(exit_status(start_as_nobody(try_as_another_user, port)), ==, ECONNRESET);
    g_assert_cmpint(try_connection(port, frames[1]), ==, 0);
    close(frames[0]);
    close(frames[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/owner/own-connections", test_own_connections);
    g_test_add_func("/net/owner/mapped-client", test_mapped_client);
    g_test_add_func("/net/owner/closed-connection-has-no-owner",
                    test_closed_connection_has_no_owner);
    if (getuid() == 0) { /* only root can become another user */
        g_test_add_func("/net/owner/another-user", test_another_user);
        g_test_add_func("/net/owner/other-users-are-reset", test_other_users_are_reset);
    } else {
        g_test_add_func("/net/owner/the-same-user-is-not", test_other_users_are_reset);
    }
    return g_test_run();
}
