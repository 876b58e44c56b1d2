/* SPDX-License-Identifier: MIT
 *
 * Connections while no descriptor is left.
 */
#include "base/fd.h"
#include "instance/keeper/acceptor.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int accepted;

static void on_client(int client_fd, gpointer data)
{
    g_assert_cmpint(fcntl(client_fd, F_GETFD), ==, FD_CLOEXEC);
    close(client_fd);
    accepted++;
}

static int listening(struct sockaddr_un *ret_address, socklen_t *ret_size)
{
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_size = sizeof(*ret_address);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&nobody, sizeof(sa_family_t)), ==, 0);
    g_assert_cmpint(listen(fd, 8), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)ret_address, ret_size), ==, 0);
    return fd;
}

/* Lower the limit on descriptors so that none is left. */
static struct rlimit exhaust(void)
{
    struct rlimit before;
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(next, >=, 0);
    close(next);
    const struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    return before;
}

static void test_pauses_without_descriptors(void)
{
    struct sockaddr_un address;
    socklen_t size;
    berth_autofd int listener = listening(&address, &size);
    BerthAcceptor *acceptor = berth_acceptor_new(listener, on_client, NULL);
    int clients[2];
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_main_context_iteration(NULL, FALSE); /* lets the loop create its descriptors */
    const struct rlimit before = exhaust();
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        g_assert_cmpint(connect(clients[i], (struct sockaddr *)&address, size), ==, 0);

    guint turns = 0;
    while (g_main_context_iteration(NULL, FALSE) && turns < 1000)
        turns++; /* until the loop is idle: no busy retry */
    g_assert_cmpuint(turns, <, 1000);
    g_assert_cmpint(accepted, ==, 0);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    while (accepted < 2)
        g_main_context_iteration(NULL, TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        close(clients[i]);
    berth_acceptor_free(acceptor);
}

static void test_freed_while_paused(void)
{
    struct sockaddr_un address;
    socklen_t size;
    berth_autofd int listener = listening(&address, &size);
    BerthAcceptor *acceptor = berth_acceptor_new(listener, on_client, NULL);
    berth_autofd int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_main_context_iteration(NULL, FALSE);
    const struct rlimit before = exhaust();
    g_assert_cmpint(connect(client, (struct sockaddr *)&address, size), ==, 0);
    g_main_context_iteration(NULL, FALSE);
    berth_acceptor_free(acceptor);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    g_assert_false(g_main_context_iteration(NULL, FALSE));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/acceptor/pauses-without-descriptors",
                    test_pauses_without_descriptors);
    g_test_add_func("/instance/acceptor/freed-while-paused", test_freed_while_paused);
    return g_test_run();
}
