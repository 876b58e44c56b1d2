/* SPDX-License-Identifier: MIT */
#include "resolver.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_MAX      256 /* with its NUL; RFC 1035 allows 253 */
#define ANSWER_MAX    2048
#define ADDRESSES_MAX 16
#define SOCKET        3 /* of the process */

/* The addresses of @host, separated by commas; "" if there are none. */
static char *look_up(const char *host)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    GString *answer = g_string_new(NULL);
    if (getaddrinfo(host, NULL, &wanted, &found) != 0)
        return g_string_free(answer, FALSE);
    guint count = 0;
    for (struct addrinfo *at = found; at != NULL && count < ADDRESSES_MAX; at = at->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) !=
            0)
            continue;
        g_string_append_printf(answer, "%s%s", count++ > 0 ? "," : "", text);
    }
    freeaddrinfo(found);
    return g_string_free(answer, FALSE);
}

/* The descriptors of the caller would otherwise outlive it here. */
static bool keep_socket_only(int fd)
{
    return dup2(fd, SOCKET) == SOCKET && close_range(SOCKET + 1, ~0u, 0) == 0;
}

G_NORETURN static void serve(int fd, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || !keep_socket_only(fd))
        _exit(1);
    for (;;) {
        char host[HOST_MAX];
        ssize_t size = recv(SOCKET, host, sizeof(host) - 1, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            _exit(0);
        host[size] = '\0';
        g_autofree char *answer = look_up(host);
        if (send(SOCKET, answer, strlen(answer) + 1, MSG_NOSIGNAL) < 0)
            _exit(1);
    }
}

int berth_fetch_resolver_start(GError **error)
{
    int pair[2];
    pid_t parent = getpid();
    if (berth_fd_socketpair(SOCK_SEQPACKET, pair) < 0) {
        berth_error_set_errno(error, errno, "fetch.resolver", "socketpair");
        return -1;
    }
    pid_t child = fork();
    if (child == 0)
        serve(pair[1], parent);
    berth_fd_close(&pair[1]);
    if (child > 0)
        return pair[0];
    berth_error_set_errno(error, errno, "fetch.resolver", "start the resolver");
    berth_fd_close(&pair[0]);
    return -1;
}

char *berth_fetch_resolver_ask(int fd, const char *host)
{
    char answer[ANSWER_MAX];
    gsize length = strlen(host);
    if (length == 0 || length >= HOST_MAX || send(fd, host, length, MSG_NOSIGNAL) < 0)
        return NULL;
    ssize_t size = recv(fd, answer, sizeof(answer), 0);
    return size > 1 ? g_strndup(answer, (gsize)size) : NULL;
}
