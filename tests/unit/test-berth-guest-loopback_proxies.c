/* SPDX-License-Identifier: MIT
 *
 * Loopback proxies on the loopback of the user who runs the test. */
#include "ports/loopback_proxies.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    Loop loop;
    LoopbackProxies *proxies;
    int log; /* standard error is redirected here */
    int stderr_fd;
    struct rlimit limit;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(loop_init(&fixture->loop), ==, 0);
    fixture->proxies = loopback_proxies_new(&fixture->loop, "lo", NULL);
    fixture->log = memfd_create("log", MFD_CLOEXEC);
    fixture->stderr_fd = dup(STDERR_FILENO);
    g_assert_cmpint(dup2(fixture->log, STDERR_FILENO), ==, STDERR_FILENO);
    getrlimit(RLIMIT_NOFILE, &fixture->limit);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){fixture->limit.rlim_max, fixture->limit.rlim_max});
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    setrlimit(RLIMIT_NOFILE, &fixture->limit);
    loopback_proxies_free(fixture->proxies);
    close(fixture->loop.epoll);
    dup2(fixture->stderr_fd, STDERR_FILENO);
    close(fixture->stderr_fd);
    close(fixture->log);
}

static guint lines_said(const Fixture *fixture)
{
    char text[4096];
    ssize_t size = pread(fixture->log, text, sizeof(text), 0);
    guint lines = 0;
    for (ssize_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

/* @count services on 127.0.0.1, from port @first on. */
static ListeningSocket *services(guint16 first, gsize count)
{
    ListeningSocket *sockets = g_new0(ListeningSocket, count);
    for (gsize i = 0; i < count; i++)
        sockets[i].listener = (WireListener){.family = 4,
                                             .protocol = IPPROTO_TCP,
                                             .port = (uint16_t)(first + i),
                                             .address = {127, 0, 0, 1}};
    return sockets;
}

static gsize count_proxied(const ListeningSocket *sockets, gsize count)
{
    gsize found = 0;
    for (gsize i = 0; i < count; i++) {
        g_assert_true((sockets[i].listener.relay != 0) == (sockets[i].listener.problem == 0));
        found += sockets[i].listener.relay != 0;
    }
    return found;
}

static void test_maximum_number_of_proxies(Fixture *fixture, gconstpointer data)
{
    g_autofree ListeningSocket *sockets = services(1, WIRE_LISTENERS_MAX);
    loopback_proxies_follow(fixture->proxies, sockets, WIRE_LISTENERS_MAX);
    g_assert_cmpuint(count_proxied(sockets, WIRE_LISTENERS_MAX), ==, WIRE_LISTENERS_MAX);

    /* replace all of them at once */
    g_autofree ListeningSocket *next = services(20000, WIRE_LISTENERS_MAX);
    loopback_proxies_follow(fixture->proxies, next, WIRE_LISTENERS_MAX);
    g_assert_cmpuint(count_proxied(next, WIRE_LISTENERS_MAX), ==, WIRE_LISTENERS_MAX);
    g_assert_cmpuint(lines_said(fixture), ==, 0);
}

static void test_excess_is_logged_once(Fixture *fixture, gconstpointer data)
{
    const gsize count = WIRE_LISTENERS_MAX + 2;
    g_autofree ListeningSocket *sockets = services(1, count);
    for (guint i = 0; i < 3; i++) {
        loopback_proxies_follow(fixture->proxies, sockets, count);
        g_assert_cmpuint(count_proxied(sockets, count), ==, WIRE_LISTENERS_MAX);
        g_assert_cmpint(sockets[count - 1].listener.problem, ==, ENOSPC);
    }
    g_assert_cmpuint(lines_said(fixture), ==, 1);
}

static void test_out_of_descriptors(Fixture *fixture, gconstpointer data)
{
    g_autofree ListeningSocket *sockets = services(1, 8);
    int next = dup(STDERR_FILENO);
    close(next);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 3, fixture->limit.rlim_max});
    for (guint i = 0; i < 3; i++) {
        loopback_proxies_follow(fixture->proxies, sockets, 8);
        g_assert_cmpuint(count_proxied(sockets, 8), ==, 3);
        g_assert_cmpint(sockets[7].listener.problem, ==, EMFILE);
    }
    g_assert_cmpuint(lines_said(fixture), ==, 1);

    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 64, fixture->limit.rlim_max});
    loopback_proxies_follow(fixture->proxies, sockets, 8);
    g_assert_cmpuint(count_proxied(sockets, 8), ==, 8);
}

static void test_services_without_proxy(Fixture *fixture, gconstpointer data)
{
    ListeningSocket sockets[] = {
        {.listener = {.family = 4, .protocol = IPPROTO_TCP, .port = 80}},
        {.listener = {.family = 6, .protocol = IPPROTO_TCP, .port = 80}},
        {.listener = {.family = 4, .protocol = IPPROTO_UDP, .port = 81, .address = {127, 0, 0, 1}}},
        {.listener = {.family = 4, .protocol = IPPROTO_TCP, .port = 82, .address = {192, 0, 2, 1}}},
    };
    loopback_proxies_follow(fixture->proxies, sockets, G_N_ELEMENTS(sockets));
    for (gsize i = 0; i < G_N_ELEMENTS(sockets); i++) {
        g_assert_cmpuint(sockets[i].listener.relay, ==, 0);
        g_assert_cmpint(sockets[i].listener.problem, ==, 0);
    }
}

/* A proxy keeps its port, and closes with its service. */
static void test_proxy_follows_its_service(Fixture *fixture, gconstpointer data)
{
    g_autofree ListeningSocket *sockets = services(80, 1);
    loopback_proxies_follow(fixture->proxies, sockets, 1);
    uint16_t relay = sockets[0].listener.relay;
    g_assert_cmpuint(relay, !=, 0);
    loopback_proxies_follow(fixture->proxies, sockets, 1);
    g_assert_cmpuint(sockets[0].listener.relay, ==, relay);

    loopback_proxies_follow(fixture->proxies, NULL, 0);
    loopback_proxies_sweep(fixture->proxies);
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(relay), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&there, sizeof(there)), <, 0);
    g_assert_cmpint(errno, ==, ECONNREFUSED);
    close(fd);
}

#define CASE(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/berth-guest/loopback_proxies/maximum-number-of-proxies", test_maximum_number_of_proxies);
    CASE("/berth-guest/loopback_proxies/one-too-many", test_excess_is_logged_once);
    CASE("/berth-guest/loopback_proxies/descriptors", test_out_of_descriptors);
    CASE("/berth-guest/loopback_proxies/not-needed", test_services_without_proxy);
    CASE("/berth-guest/loopback_proxies/follows-its-service", test_proxy_follows_its_service);
    return g_test_run();
}
