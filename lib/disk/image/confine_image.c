/* SPDX-License-Identifier: MIT */
#include "confine_image.h"

#include "sandbox/sandbox.h"

#include <fcntl.h>

#define DESCRIPTORS_MAX 64
#define MEMORY_MAX      (G_GUINT64_CONSTANT(8) << 30)

/* Allowed with any arguments, for reading, decompressing and writing. None takes a path but
 * newfstatat, which libc uses on descriptors. */
static const int allowed[] = {
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fallocate),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(eventfd2),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getuid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(readv),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
};

static const BerthSandboxRule restricted_calls[] = {
    {SCMP_SYS(newfstatat), {{3, AT_EMPTY_PATH, AT_EMPTY_PATH}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_SETFL}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_DUPFD_CLOEXEC}}},
};

bool berth_confine_image(int last_fd, GError **error)
{
    const BerthSandbox sandbox = {
        .step = "import.lock",
        .what = "confine berth-image",
        .last_fd = last_fd,
        .descriptors_max = DESCRIPTORS_MAX,
        .memory_max = MEMORY_MAX,
        .no_paths = true,
        .allowed = allowed,
        .n_allowed = G_N_ELEMENTS(allowed),
        .restricted = restricted_calls,
        .n_restricted = G_N_ELEMENTS(restricted_calls),
        .threads = true,
    };
    return berth_sandbox_enter(&sandbox, error);
}
