/* SPDX-License-Identifier: MIT */
#include "guest_ends.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

int berth_guest_ends_memory(void)
{
    return memfd_create("berth-memory", MFD_CLOEXEC);
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
}
