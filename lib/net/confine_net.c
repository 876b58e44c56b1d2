/* SPDX-License-Identifier: MIT */
#include "confine_net.h"

#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096
#define SOCKET_TYPE     0xfu /* of socket()'s second argument; the other bits are flags */

/* Allowed with any argument: calls of libslirp, the loop and the name server.
 * None takes a path. */
static const int allowed[] = {
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(getpeername),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(listen),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(timerfd_settime),
};

#define WORD G_MAXUINT32 /* mask of an int argument */

/* TCP, UDP and unprivileged ping sockets only: no protocol that makes the kernel load a module. */
#define SOCKET(family, type, protocol)                                                             \
    {                                                                                              \
        SCMP_SYS(socket),                                                                          \
        {                                                                                          \
            {0, WORD, family}, {1, SOCKET_TYPE, type}, {2, WORD, protocol},                        \
        }                                                                                          \
    }

/* An allow list also keeps BPF programs out of the kernel. */
#define OPTION(level, name)                                                                        \
    {                                                                                              \
        SCMP_SYS(setsockopt),                                                                      \
        {                                                                                          \
            {1, WORD, level}, {2, WORD, name},                                                     \
        }                                                                                          \
    }

/* Frames use a unix datagram socket, which could send to any named socket on the host. So calls
 * that take an address are allowed only on descriptors from SOCKETS_FROM up, which are opened here.
 * Rules compare under a mask, so "at least 8" is one rule for each higher bit. */
#define SOCKETS_FROM 8
#define WITH_BIT(call, bit)                                                                        \
    {                                                                                              \
        SCMP_SYS(call),                                                                            \
        {                                                                                          \
            {0, 1u << (bit), 1u << (bit)},                                                         \
        }                                                                                          \
    }
#define ON_OUR_SOCKETS(call)                                                                       \
    WITH_BIT(call, 3), WITH_BIT(call, 4), WITH_BIT(call, 5), WITH_BIT(call, 6), WITH_BIT(call, 7), \
        WITH_BIT(call, 8), WITH_BIT(call, 9), WITH_BIT(call, 10), WITH_BIT(call, 11)
G_STATIC_ASSERT(SOCKETS_FROM == 1 << 3 && DESCRIPTORS_MAX == 1 << 12);

static const BerthSandboxRule restricted[] = {
    ON_OUR_SOCKETS(bind),
    ON_OUR_SOCKETS(connect),
    ON_OUR_SOCKETS(sendto),
    {SCMP_SYS(sendto), {{4, G_MAXUINT64, 0}}}, /* without an address */
    SOCKET(AF_INET, SOCK_STREAM, 0),
    SOCKET(AF_INET, SOCK_DGRAM, 0),
    SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    SOCKET(AF_INET6, SOCK_STREAM, 0),
    SOCKET(AF_INET6, SOCK_DGRAM, 0),
    SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
    OPTION(SOL_SOCKET, SO_REUSEADDR),
    OPTION(SOL_SOCKET, SO_OOBINLINE),
    OPTION(SOL_SOCKET, SO_KEEPALIVE),
    OPTION(SOL_SOCKET, SO_LINGER),
    OPTION(IPPROTO_TCP, TCP_NODELAY),
    OPTION(IPPROTO_IP, IP_TTL),
    OPTION(IPPROTO_IP, IP_TOS),
    OPTION(IPPROTO_IP, IP_RECVERR),
    OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
    OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
    OPTION(IPPROTO_IPV6, IPV6_RECVERR),
    OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    {SCMP_SYS(fcntl), {{1, WORD, F_SETFL}}},
    {SCMP_SYS(prlimit64), {{0, WORD, 0}}}, /* this process only */
    {SCMP_SYS(ioctl), {{1, WORD, FIONREAD}}},
    {SCMP_SYS(ioctl), {{1, WORD, FIONBIO}}},
};

bool berth_confine_net(int last_fd, GError **error)
{
    for (int fd = last_fd + 1; fd < SOCKETS_FROM; fd++)
        dup2(last_fd, fd); /* no new socket gets such a number */
    const BerthSandbox sandbox = {
        .step = "net.lock",
        .what = "confine berth-net",
        .last_fd = MAX(last_fd, SOCKETS_FROM - 1),
        .descriptors_max = DESCRIPTORS_MAX,
        .no_paths = true,
        .leave_host = true,
        .allowed = allowed,
        .n_allowed = G_N_ELEMENTS(allowed),
        .restricted = restricted,
        .n_restricted = G_N_ELEMENTS(restricted),
    };
    return berth_sandbox_enter(&sandbox, error);
}
