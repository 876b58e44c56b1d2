/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 4096
#define SOCKET_TYPE     0xfu /* of socket()'s second argument; the rest are flags */

/* What libslirp, GLib's allocator and our loop call, whatever the arguments. */
static const int allowed[] = {
    SCMP_SYS(accept),         SCMP_SYS(accept4),
    SCMP_SYS(bind),           SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),  SCMP_SYS(close),
    SCMP_SYS(connect),        SCMP_SYS(exit),
    SCMP_SYS(epoll_ctl),      SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),     SCMP_SYS(timerfd_settime),
    SCMP_SYS(exit_group),     SCMP_SYS(fstat),
    SCMP_SYS(futex),          SCMP_SYS(getpeername),
    SCMP_SYS(getpid),         SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),      SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),     SCMP_SYS(gettid),
    SCMP_SYS(listen),         SCMP_SYS(lseek),
    SCMP_SYS(madvise),        SCMP_SYS(mremap),
    SCMP_SYS(munmap),         SCMP_SYS(newfstatat),
    SCMP_SYS(poll),           SCMP_SYS(ppoll),
    SCMP_SYS(read),           SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),        SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sendmsg),        SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),     SCMP_SYS(shutdown),
    SCMP_SYS(stat),           SCMP_SYS(write),
    SCMP_SYS(writev),
#ifdef BERTH_SANITIZED
    SCMP_SYS(sigaltstack),
#endif
};

static const BerthSandboxRule restricted[] = {
    {SCMP_SYS(socket), {{0, G_MAXUINT64, AF_INET}, {1, SOCKET_TYPE, SOCK_STREAM}}},
    {SCMP_SYS(socket), {{0, G_MAXUINT64, AF_INET}, {1, SOCKET_TYPE, SOCK_DGRAM}}},
    {SCMP_SYS(socket), {{0, G_MAXUINT64, AF_INET6}, {1, SOCKET_TYPE, SOCK_STREAM}}},
    {SCMP_SYS(socket), {{0, G_MAXUINT64, AF_INET6}, {1, SOCKET_TYPE, SOCK_DGRAM}}},
    {SCMP_SYS(open), {{1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}},
    {SCMP_SYS(openat), {{2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}},
    {SCMP_SYS(mmap), {{2, PROT_EXEC, 0}}},
    {SCMP_SYS(mprotect), {{2, PROT_EXEC, 0}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_GETFD}}}, /* not F_SETOWN, which sends signals */
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_SETFD}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_GETFL}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_SETFL}}},
    {SCMP_SYS(prlimit64), {{0, G_MAXUINT32, 0}}}, /* its own */
    {SCMP_SYS(ioctl), {{1, G_MAXUINT32, FIONREAD}}},
    {SCMP_SYS(ioctl), {{1, G_MAXUINT32, FIONBIO}}},
};

bool berth_lock_in(int last_fd, GError **error)
{
    const BerthSandbox sandbox = {
        .step = "net.lock",
        .what = "lock the network of the guest in",
        .last_fd = last_fd,
        .descriptors_max = DESCRIPTORS_MAX,
        .allowed = allowed,
        .n_allowed = G_N_ELEMENTS(allowed),
        .restricted = restricted,
        .n_restricted = G_N_ELEMENTS(restricted),
    };
    return berth_sandbox_enter(&sandbox, error);
}
