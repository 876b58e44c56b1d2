/* SPDX-License-Identifier: MIT */
#include "guest_ends.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

int berth_guest_ends_memory(void)
{
    return memfd_create("berth-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

bool berth_guest_ends_is_sealed(int memory)
{
    int seals = fcntl(memory, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS;
}

bool berth_guest_ends_seal(BerthGuestEnds *ends)
{
    ends->is_sealed = ends->is_sealed || fcntl(ends->memory, F_ADD_SEALS, SEALS) == 0;
    return ends->is_sealed;
}

/* Only extents with data: reading a hole through the mapping would fill it. */
static bool copy_extents(int from, const guint8 *memory, int to)
{
    off_t end = 0, at;
    for (;;) {
        at = lseek(from, end, SEEK_DATA);
        if (at < 0 && errno == ENXIO)
            return true;
        end = at >= 0 ? lseek(from, at, SEEK_HOLE) : -1;
        if (end < 0)
            return false;
        while (at < end) {
            ssize_t size = pwrite(to, memory + at, (size_t)(end - at), at);
            if (size < 0 && errno != EINTR)
                return false;
            at += MAX(size, 0);
        }
    }
}

bool berth_guest_ends_copy(int from, int to)
{
    struct stat st;
    if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
        return false;
    if (st.st_size == 0)
        return true;
    void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
    if (memory == MAP_FAILED)
        return false;
    bool done = copy_extents(from, memory, to);
    int errnum = errno;
    munmap(memory, (size_t)st.st_size);
    errno = errnum;
    return done;
}

bool berth_guest_ends_open(BerthGuestEnds *ends, GError **error)
{
    int pair[2];
    if (berth_fd_socketpair(SOCK_STREAM, pair) < 0) {
        berth_error_set_errno(error, errno, "machine.qemu", "socket pair");
        return false;
    }
    ends->agent = pair[0];
    ends->qemu_agent = pair[1];
    ends->memory = berth_guest_ends_memory();
    if (ends->memory >= 0 && berth_fd_set_nonblocking(ends->agent, true) == 0)
        return true;
    berth_error_set_errno(error, errno, "machine.qemu", "the guest's memory");
    return false;
}

void berth_guest_ends_clear(BerthGuestEnds *ends)
{
    berth_fd_close(&ends->agent);
    berth_fd_close(&ends->qemu_agent);
    berth_fd_close(&ends->memory);
    ends->is_sealed = ends->is_private = false;
}
