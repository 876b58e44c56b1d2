/* SPDX-License-Identifier: MIT
 *
 * The kernel's answers are queued in a socket beforehand: TCP and UDP, each over IPv4 and IPv6.
 */
#include "ports/sockdiag.h"

#include <errno.h>
#include <glib.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 4

typedef struct {
    Netlink netlink;
    int kernel;
    guint32 sequence; /* of the request being answered */
    ListeningSocket sockets[ROOM];
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    int fds[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
                    0);
    fixture->netlink.fd = fds[0];
    fixture->kernel = fds[1];
    fixture->sequence = 1;
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->netlink.fd);
    close(fixture->kernel);
}

typedef struct {
    guint8 family; /* 4 or 6 */
    guint16 port, peer;
    guint32 inode;
    guint8 address[16];
    gint8 v6only; /* -1: the attribute is missing */
} Socket;

static void send_socket(Fixture *fixture, const Socket *socket)
{
    union {
        struct {
            struct nlmsghdr header;
            struct inet_diag_msg socket;
        };
        char bytes[256];
    } message = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct inet_diag_msg)),
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = NLM_F_MULTI,
                            .nlmsg_seq = fixture->sequence},
                 .socket = {.idiag_family = socket->family == 4 ? AF_INET : AF_INET6,
                            .idiag_inode = socket->inode,
                            .id.idiag_sport = htons(socket->port),
                            .id.idiag_dport = htons(socket->peer)}};
    memcpy(message.socket.id.idiag_src, socket->address, 16);
    if (socket->v6only >= 0)
        netlink_put(&message.header, sizeof(message), INET_DIAG_SKV6ONLY, &socket->v6only, 1);
    gsize size = message.header.nlmsg_len;
    g_assert_cmpint(send(fixture->kernel, &message, size, 0), ==, (gssize)size);
}

static void end(Fixture *fixture, guint16 type, guint16 flags, int error)
{
    struct {
        struct nlmsghdr header;
        int error;
    } message = {{.nlmsg_len = sizeof(message),
                  .nlmsg_type = type,
                  .nlmsg_flags = flags,
                  .nlmsg_seq = fixture->sequence++},
                 error};
    g_assert_cmpint(send(fixture->kernel, &message, sizeof(message), 0), ==, sizeof(message));
}

static void done(Fixture *fixture)
{
    end(fixture, NLMSG_DONE, NLM_F_MULTI, 0);
}

static int dump(Fixture *fixture)
{
    return sockdiag_dump(&fixture->netlink, fixture->sockets, ROOM);
}

static const Socket any_v4 = {4, 80, 0, 1, {0}, -1};
static const Socket both = {6, 80, 0, 2, {0}, 0};
static const Socket only_v6 = {6, 81, 0, 3, {0}, 1};
static const Socket mapped = {6, 82, 0, 4, {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, 0};

static void test_attributes_are_decoded(Fixture *fixture, gconstpointer data)
{
    done(fixture);
    send_socket(fixture, &mapped);
    send_socket(fixture, &only_v6);
    send_socket(fixture, &both);
    for (guint i = 0; i < 3; i++)
        done(fixture);
    g_assert_cmpint(dump(fixture), ==, 4);
    static const struct {
        guint16 port;
        guint8 family, first;
    } expected[] = {{80, 4, 0}, {80, 6, 0}, {81, 6, 0}, {82, 4, 127}};
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        const WireListener *listener = &fixture->sockets[i].listener;
        g_assert_cmpuint(listener->port, ==, expected[i].port);
        g_assert_cmpuint(listener->family, ==, expected[i].family);
        g_assert_cmpuint(listener->address[0], ==, expected[i].first);
        g_assert_cmpuint(listener->protocol, ==, IPPROTO_TCP);
    }
}

static void test_duplicate_addresses_are_merged(Fixture *fixture, gconstpointer data)
{
    send_socket(fixture, &any_v4);
    send_socket(fixture, &any_v4);
    done(fixture);
    send_socket(fixture, &both);
    for (guint i = 0; i < 3; i++)
        done(fixture);
    g_assert_cmpint(dump(fixture), ==, 2);
}

static void test_udp_servers_and_clients(Fixture *fixture, gconstpointer data)
{
    static const Socket server = {4, 53, 0, 1, {0}, -1}, connected = {4, 54, 9, 2, {0}, -1},
                        nameless = {4, 0, 0, 3, {0}, -1};
    done(fixture);
    done(fixture);
    send_socket(fixture, &server);
    send_socket(fixture, &connected);
    send_socket(fixture, &nameless);
    done(fixture);
    done(fixture);
    g_assert_cmpint(dump(fixture), ==, 1);
    g_assert_cmpuint(fixture->sockets[0].listener.port, ==, 53);
    g_assert_cmpuint(fixture->sockets[0].listener.protocol, ==, IPPROTO_UDP);
}

static void test_interrupted_dump_restarts(Fixture *fixture, gconstpointer data)
{
    send_socket(fixture, &any_v4);
    done(fixture);
    send_socket(fixture, &mapped);
    end(fixture, NLMSG_DONE, NLM_F_DUMP_INTR, 0);
    send_socket(fixture, &only_v6);
    for (guint i = 0; i < 3; i++)
        done(fixture);
    g_assert_cmpint(dump(fixture), ==, 2);
    g_assert_cmpuint(fixture->sockets[0].listener.port, ==, 80);
    g_assert_cmpuint(fixture->sockets[1].listener.port, ==, 81);
}

static void test_unsupported_families_are_skipped(Fixture *fixture, gconstpointer data)
{
    send_socket(fixture, &any_v4);
    done(fixture);
    for (guint i = 0; i < 3; i++)
        end(fixture, NLMSG_ERROR, 0, -ENOENT);
    g_assert_cmpint(dump(fixture), ==, 1);
    end(fixture, NLMSG_ERROR, 0, -ENOENT); /* no TCP over IPv4 */
    g_assert_cmpint(dump(fixture), ==, -ENOENT);
}

static void test_failure_is_not_an_empty_list(Fixture *fixture, gconstpointer data)
{
    send_socket(fixture, &any_v4);
    done(fixture);
    end(fixture, NLMSG_ERROR, 0, -EPERM);
    g_assert_cmpint(dump(fixture), ==, -EPERM);
}

static void test_more_sockets_than_fit(Fixture *fixture, gconstpointer data)
{
    for (guint16 i = 0; i < ROOM + 3; i++)
        send_socket(fixture, &(Socket){4, (guint16)(100 + i), 0, i, {0}, -1});
    for (guint i = 0; i < 4; i++)
        done(fixture);
    g_assert_cmpint(dump(fixture), ==, ROOM);
}

static void test_tcp_has_priority(void)
{
    ListeningSocket sockets[6] = {0};
    for (guint i = 0; i < 6; i++)
        sockets[i].listener = (WireListener){.family = 4,
                                             .port = (guint16)(100 - i),
                                             .protocol = i % 2 == 0 ? IPPROTO_TCP : IPPROTO_UDP};
    g_assert_cmpuint(sockdiag_choose(sockets, 6, 6), ==, 6);
    g_assert_cmpuint(sockets[0].listener.port, ==, 100); /* they fit: unchanged */
    g_assert_cmpuint(sockdiag_choose(sockets, 6, 4), ==, 4);
    static const guint16 ports[] = {95, 96, 98, 100, 97, 99};
    for (guint i = 0; i < 6; i++)
        g_assert_cmpuint(sockets[i].listener.port, ==, ports[i]);
}

static void test_owner_of_a_real_socket(void)
{
    Netlink netlink;
    static ListeningSocket sockets[1024];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof(address)});

    g_assert_cmpint(netlink_open(&netlink, NETLINK_SOCK_DIAG, 0), ==, 0);
    int count = sockdiag_dump(&netlink, sockets, G_N_ELEMENTS(sockets));
    g_assert_cmpint(count, >, 0);
    ListeningSocket *ours = NULL;
    for (int i = 0; i < count; i++)
        if (sockets[i].listener.port == ntohs(address.sin_port) &&
            sockets[i].listener.protocol == IPPROTO_TCP)
            ours = &sockets[i];
    g_assert_nonnull(ours);
    sockdiag_find_owners(ours, 1);
    g_assert_true(g_str_has_prefix("test-berth-guest-sockdiag", ours->owner));
    g_assert_cmpuint(strlen(ours->owner), ==, 15);
    close(netlink.fd);
    close(fd);
}

#define CASE(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/berth-guest/sockdiag/attributes", test_attributes_are_decoded);
    CASE("/berth-guest/sockdiag/one-address", test_duplicate_addresses_are_merged);
    CASE("/berth-guest/sockdiag/udp", test_udp_servers_and_clients);
    CASE("/berth-guest/sockdiag/interrupted", test_interrupted_dump_restarts);
    CASE("/berth-guest/sockdiag/unsupported", test_unsupported_families_are_skipped);
    CASE("/berth-guest/sockdiag/failure", test_failure_is_not_an_empty_list);
    CASE("/berth-guest/sockdiag/overflow", test_more_sockets_than_fit);
    g_test_add_func("/berth-guest/sockdiag/choose", test_tcp_has_priority);
    g_test_add_func("/berth-guest/sockdiag/owner", test_owner_of_a_real_socket);
    return g_test_run();
}
