/* SPDX-License-Identifier: MIT */
#include "host_channel.h"

#include "os/clock.h"
#include "os/virtio_port.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FILL_SIZE 65536u

int channel_open_port(Channel *channel, int timeout_msec)
{
    int fd = port_open(WIRE_PORT_NAME, timeout_msec);
    if (fd < 0)
        return fd;
    *channel = (Channel){.fd = fd, .is_port = true};
    return 0;
}

int channel_use_socket(Channel *channel, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    *channel = (Channel){.fd = fd};
    return 0;
}

int channel_fill(Channel *channel)
{
    size_t total = 0;
    while (total < FILL_SIZE) { /* a virtio port returns at most a page per read */
        uint8_t *room = wire_buffer_reserve(&channel->in, FILL_SIZE);
        if (room == NULL)
            return -ENOMEM;
        ssize_t size = read(channel->fd, room, FILL_SIZE);
        if (size > 0) {
            wire_buffer_added(&channel->in, (size_t)size);
            total += (size_t)size;
        } else if (size == 0 || errno != EINTR) {
            return total > 0 ? (int)total : size == 0 ? 0 : -errno;
        }
    }
    return (int)total;
}

void channel_hold(Channel *channel)
{
    channel->is_held = true;
    channel->before = wire_buffer_size(&channel->out);
}

void channel_release(Channel *channel)
{
    channel->is_held = false;
}

size_t channel_pending(const Channel *channel)
{
    return channel->is_held ? channel->before : wire_buffer_size(&channel->out);
}

static void consume(Channel *channel, size_t size)
{
    wire_buffer_consume(&channel->out, size);
    if (channel->is_held)
        channel->before -= size;
}

int channel_flush(Channel *channel)
{
    while (channel_pending(channel) > 0) {
        ssize_t size =
            write(channel->fd, wire_buffer_head(&channel->out), channel_pending(channel));
        if (size > 0)
            consume(channel, (size_t)size);
        else if (size < 0 && errno == EAGAIN)
            return 0;
        else if (size == 0 || errno != EINTR)
            return size == 0 ? -EIO : -errno;
    }
    return channel->out.failed ? -ENOMEM : 0;
}

static int msec_left(uint64_t deadline_usec)
{
    uint64_t now = clock_boottime_usec();
    return now >= deadline_usec ? 0 : (int)((deadline_usec - now) / 1000 + 1);
}

/* An epoll descriptor that watches the channel, or -errno. Edge-triggered: until the host connects,
 * the port reports a hang-up at each look. */
static int watch_channel(const Channel *channel, uint32_t events)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = events | EPOLLET};
    if (epoll < 0)
        return -errno;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, channel->fd, &event) == 0)
        return epoll;
    int problem = errno;
    close(epoll);
    return -problem;
}

int channel_drain(Channel *channel, int timeout_msec)
{
    uint64_t deadline = clock_boottime_usec() + (uint64_t)timeout_msec * 1000;
    int epoll = watch_channel(channel, EPOLLOUT);
    if (epoll < 0)
        return epoll;
    int result;
    struct epoll_event event;
    while ((result = channel_flush(channel)) == 0 && wire_buffer_size(&channel->out) > 0)
        if (epoll_wait(epoll, &event, 1, msec_left(deadline)) == 0) {
            result = -ETIMEDOUT;
            break;
        }
    close(epoll);
    return result;
}

int channel_wait_frame(Channel *channel, int timeout_msec, WireFrame *ret_frame)
{
    uint64_t deadline = clock_boottime_usec() + (uint64_t)timeout_msec * 1000;
    int epoll = watch_channel(channel, EPOLLIN | EPOLLOUT);
    if (epoll < 0)
        return epoll;

    int result;
    struct epoll_event event;
    while ((result = wire_frame_peek(&channel->in, ret_frame)) == 0) {
        channel_flush(channel);
        if (channel_fill(channel) > 0)
            continue;
        if (epoll_wait(epoll, &event, 1, msec_left(deadline)) == 0) {
            result = -ETIMEDOUT;
            break;
        }
    }
    close(epoll);
    return result;
}

void channel_reset(Channel *channel)
{
    wire_buffer_clear(&channel->in);
    wire_buffer_clear(&channel->out);
    channel_release(channel);
}
