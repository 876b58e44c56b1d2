/* SPDX-License-Identifier: MIT */
#include "confine_fetch.h"

#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 256
#define MEMORY_MAX      (G_GUINT64_CONSTANT(512) << 20)
#define SOCKET_TYPE     0xfu /* of socket()'s second argument; the other bits are flags */
#define WORD            G_MAXUINT32

/* Calls of libcurl, its TLS library and the allocator. None takes a path but newfstatat, which libc
 * uses on descriptors. */
static const int allowed[] = {
    SCMP_SYS(connect), /* no unix socket can be made */
    SCMP_SYS(eventfd2),
    SCMP_SYS(ftruncate),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(lseek),
    SCMP_SYS(pipe2),
    SCMP_SYS(pwrite64),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(shutdown),
    SCMP_SYS(uname),
};

#define SOCKET(family)                                                                             \
    {                                                                                              \
        SCMP_SYS(socket),                                                                          \
        {                                                                                          \
            {0, WORD, family}, {1, SOCKET_TYPE, SOCK_STREAM},                                      \
        }                                                                                          \
    }

static const BerthSandboxRule restricted_calls[] = {
    SOCKET(AF_INET),
    SOCKET(AF_INET6),
    {SCMP_SYS(socket), {{0, WORD, AF_INET6}, {1, SOCKET_TYPE, SOCK_DGRAM}}}, /* is there IPv6? */
    {SCMP_SYS(socketpair), {{0, WORD, AF_UNIX}, {1, SOCKET_TYPE, SOCK_STREAM}}}, /* wakes poll */
    {SCMP_SYS(setsockopt), {{1, WORD, SOL_SOCKET}, {2, WORD, SO_KEEPALIVE}}},
    {SCMP_SYS(setsockopt), {{1, WORD, IPPROTO_TCP}, {2, WORD, TCP_NODELAY}}},
    {SCMP_SYS(newfstatat), {{3, AT_EMPTY_PATH, AT_EMPTY_PATH}}},
    {SCMP_SYS(fcntl), {{1, WORD, F_SETFL}}},
    {SCMP_SYS(ioctl), {{1, WORD, FIONBIO}}},
};

bool berth_fetch_confine(int last_fd, GError **error)
{
    const BerthSandbox sandbox = {
        .step = "fetch.confine",
        .what = "confine berth-fetch",
        .last_fd = last_fd,
        .descriptors_max = DESCRIPTORS_MAX,
        .memory_max = MEMORY_MAX,
        .no_paths = true,
        .leave_host = true,
        .allowed = allowed,
        .n_allowed = G_N_ELEMENTS(allowed),
        .restricted = restricted_calls,
        .n_restricted = G_N_ELEMENTS(restricted_calls),
        .threads = true,
    };
    return berth_sandbox_enter(&sandbox, error);
}
