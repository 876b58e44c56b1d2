/* SPDX-License-Identifier: MIT */
#include "growth.h"

#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Read one number. *@ret_end: there will be none. */
static bool read_number(BerthGrowth *growth, bool *ret_end, GError **error)
{
    guint64 number = 0;
    ssize_t got = read(growth->fd, &number, sizeof(number));
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got < 0) {
        berth_error_set_errno(error, errno, "import.read", "follow the download");
        return false;
    }
    *ret_end = got != sizeof(number); /* numbers are written whole */
    if (!*ret_end)
        growth->ready = MAX(growth->ready, number);
    return true;
}

/* Wait until there is something to read. poll() ignores a negative fd. */
static bool wait_for_number(const BerthGrowth *growth, int cancel_fd, GError **error)
{
    struct pollfd fds[] = {{.fd = growth->fd, .events = POLLIN},
                           {.fd = cancel_fd, .events = POLLIN}};
    while (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
        if (errno == EINTR)
            continue;
        berth_error_set_errno(error, errno, "import.read", "follow the download");
        return false;
    }
    if (fds[1].revents == 0)
        return true;
    berth_error_set(error, BERTH_ERROR_CANCELLED, "import.cancelled", NULL, "cancelled");
    return false;
}

bool berth_growth_wait(BerthGrowth *growth, guint64 offset, int cancel_fd, guint64 *ret_ready,
                       GError **error)
{
    bool ended = false;
    while (growth->ready <= offset && !ended) {
        if (!wait_for_number(growth, cancel_fd, error) || !read_number(growth, &ended, error))
            return false;
    }
    *ret_ready = growth->ready;
    if (!ended)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.truncated",
                    "fetch or copy the file again", "the download ends too early");
    return false;
}

bool berth_growth_new(int *ret_reading, int *ret_writing, GError **error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        berth_error_set_errno(error, errno, "fetch.open", "socketpair");
        return false;
    }
    *ret_reading = ends[0];
    *ret_writing = ends[1];
    return true;
}

static void send_number(int fd, guint64 number, int flags)
{
    while (send(fd, &number, sizeof(number), flags | MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

void berth_growth_send(int fd, guint64 ready)
{
    send_number(fd, ready, MSG_DONTWAIT);
}

void berth_growth_complete(int fd)
{
    send_number(fd, BERTH_GROWTH_COMPLETE, 0);
}
