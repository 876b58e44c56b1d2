/* SPDX-License-Identifier: MIT */
#include "confine_fetch.h"

#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 256
#define MEMORY_MAX      (G_GUINT64_CONSTANT(512) << 20)
#define SOCKET_TYPE     0xfu /* of socket()'s second argument; the other bits are flags */
#define WORD            G_MAXUINT32

/* Calls of libcurl, its TLS library and the allocator. None takes a path but newfstatat, which libc
 * uses on descriptors. */
static const int allowed[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(close),
    SCMP_SYS(connect), /* no unix socket can be made */
    SCMP_SYS(eventfd2),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(fstat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(futex),
    SCMP_SYS(getpeername),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(gettid),
    SCMP_SYS(lseek),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pwrite64),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity), /* of a thread's attributes, which sanitizers read */
    SCMP_SYS(sched_yield),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(shutdown),
    SCMP_SYS(uname),
    SCMP_SYS(write),
    SCMP_SYS(writev),
#ifdef BERTH_SANITIZED
    SCMP_SYS(sigaltstack),
#endif
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
    {SCMP_SYS(mmap), {{2, PROT_EXEC, 0}}},
    {SCMP_SYS(mprotect), {{2, PROT_EXEC, 0}}},
    {SCMP_SYS(fcntl), {{1, WORD, F_GETFD}}}, /* not F_SETOWN, which sends signals */
    {SCMP_SYS(fcntl), {{1, WORD, F_SETFD}}},
    {SCMP_SYS(fcntl), {{1, WORD, F_GETFL}}},
    {SCMP_SYS(fcntl), {{1, WORD, F_SETFL}}},
    {SCMP_SYS(ioctl), {{1, WORD, FIONBIO}}},
    {SCMP_SYS(prctl), {{0, WORD, PR_SET_NAME}}},                /* of a thread */
    {SCMP_SYS(prlimit64), {{0, WORD, 0}, {2, G_MAXUINT64, 0}}}, /* its own, to read */
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
