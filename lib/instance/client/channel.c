/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include "base/error.h"
#include "instance/control/hello.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536u
#define TICK_MSEC 100

void berth_channel_clear(BerthChannel *channel)
{
    wire_buffer_clear(&channel->input);
    wire_buffer_clear(&channel->output);
}

void berth_channel_begin(BerthChannel *channel)
{
    berth_hello_put(&channel->output);
    channel->expects_hello = true;
}

static void set_lost(GError **error)
{
    berth_error_set(error, BERTH_ERROR_GUEST, "instance.lost",
                    "\"berth logs\" shows the guest's last console output",
                    "the connection to the instance was lost");
}

static bool write_output(BerthChannel *channel, int flags, GError **error)
{
    while (wire_buffer_size(&channel->output) > 0) {
        ssize_t size = send(channel->fd, wire_buffer_head(&channel->output),
                            wire_buffer_size(&channel->output), MSG_NOSIGNAL | flags);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT) != 0)
            return true;
        if (size < 0) {
            set_lost(error);
            return false;
        }
        wire_buffer_consume(&channel->output, (size_t)size);
    }
    return true;
}

bool berth_channel_send(BerthChannel *channel, GError **error)
{
    return write_output(channel, 0, error);
}

bool berth_channel_flush(BerthChannel *channel, GError **error)
{
    return write_output(channel, MSG_DONTWAIT, error);
}

/* Wait for input or EOF. */
static bool wait_readable(const BerthChannel *channel, GError **error)
{
    struct pollfd readable = {.fd = channel->fd, .events = POLLIN};
    while (channel->goes_on != NULL && poll(&readable, 1, TICK_MSEC) <= 0) {
        if (channel->goes_on(channel->user_data))
            continue;
        berth_error_set(error, BERTH_ERROR_CANCELLED, "instance.cancelled", NULL, "cancelled");
        return false;
    }
    return true;
}

bool berth_channel_fill(BerthChannel *channel, GError **error)
{
    if (!wait_readable(channel, error))
        return false;
    wire_buffer_consume(&channel->input, channel->consumed);
    channel->consumed = 0;

    uint8_t *room = wire_buffer_reserve(&channel->input, READ_SIZE);
    ssize_t size;
    do
        size = room != NULL ? read(channel->fd, room, READ_SIZE) : -1;
    while (size < 0 && errno == EINTR);
    if (size <= 0) {
        set_lost(error);
        return false;
    }
    wire_buffer_added(&channel->input, (size_t)size);
    return true;
}

static int next_frame(BerthChannel *channel, WireFrame *ret_frame, GError **error)
{
    wire_buffer_consume(&channel->input, channel->consumed);
    channel->consumed = 0;

    int found = wire_frame_peek(&channel->input, ret_frame);
    if (found == 1)
        channel->consumed = WIRE_HEADER_SIZE + ret_frame->size;
    if (found < 0)
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "wire.frame", NULL,
                        "the keeper sent an invalid frame");
    return found < 0 ? -1 : found;
}

int berth_channel_next(BerthChannel *channel, WireFrame *ret_frame, GError **error)
{
    int found = next_frame(channel, ret_frame, error);
    if (found != 1 || !channel->expects_hello)
        return found;
    channel->expects_hello = false;
    return berth_hello_check_keeper(ret_frame, error) ? next_frame(channel, ret_frame, error) : -1;
}

bool berth_channel_receive(BerthChannel *channel, WireFrame *ret_frame, GError **error)
{
    for (;;) {
        int found = berth_channel_next(channel, ret_frame, error);
        if (found != 0)
            return found > 0;
        if (!berth_channel_fill(channel, error))
            return false;
    }
}
