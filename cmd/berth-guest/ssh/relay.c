/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* One direction. Empty when start == end. */
typedef struct {
    int from, to;
    char bytes[65536];
    size_t start, end;
    bool ended; /* `from` has ended */
} Way;

static bool is_for_later(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Fill an empty buffer. An error of the source is its end. */
static void way_read(Way *way)
{
    ssize_t got = read(way->from, way->bytes, sizeof(way->bytes));
    if (is_for_later(got))
        return;
    way->ended = got <= 0;
    way->start = 0;
    way->end = got > 0 ? (size_t)got : 0;
}

/* False: the other end is closed, or the write failed. */
static bool way_write(Way *way)
{
    ssize_t put = write(way->to, way->bytes + way->start, way->end - way->start);
    if (is_for_later(put))
        return true;
    way->start += put > 0 ? (size_t)put : 0;
    return put >= 0;
}

static struct pollfd way_wish(const Way *way)
{
    if (way->start < way->end)
        return (struct pollfd){.fd = way->to, .events = POLLOUT};
    return (struct pollfd){.fd = way->ended ? -1 : way->from, .events = POLLIN};
}

static bool way_step(Way *way, short events)
{
    if (events == 0)
        return true;
    if (way->start < way->end)
        return way_write(way);
    way_read(way);
    return true;
}

static bool is_done(const Way *way)
{
    return way->ended && way->start == way->end;
}

static int set_nonblocking(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK) < 0)
            return -errno;
    return 0;
}

int relay_run(int input, int output, int socket)
{
    const int all[] = {input, output, socket};
    static Way in, out; /* too large for the stack; one relay a process */
    bool half_closed = false;
    in = (Way){.from = input, .to = socket};
    out = (Way){.from = socket, .to = output};
    int result = set_nonblocking(all, 3);
    while (result == 0 && !is_done(&out)) {
        struct pollfd wishes[] = {way_wish(&in), way_wish(&out)};
        if (poll(wishes, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (!way_step(&in, wishes[0].revents))
            in = (Way){.from = input, .to = socket, .ended = true};
        if (!way_step(&out, wishes[1].revents))
            break;
        if (is_done(&in) && !half_closed)
            half_closed = shutdown(socket, SHUT_WR) == 0 || errno == ENOTCONN;
    }
    return result;
}
