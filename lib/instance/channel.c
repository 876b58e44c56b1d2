/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include "base/error.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536u

void berth_channel_clear(BerthChannel *channel)
{
    wire_buffer_clear(&channel->input);
    wire_buffer_clear(&channel->output);
}

static void set_lost(GError **error)
{
    berth_error_set(error, BERTH_ERROR_GUEST, "instance.lost",
                    "\"berth logs\" shows what the guest said last",
                    "the connection to the instance was lost");
}

bool berth_channel_send(BerthChannel *channel, GError **error)
{
    while (wire_buffer_size(&channel->output) > 0) {
        ssize_t size = send(channel->fd, wire_buffer_head(&channel->output),
                            wire_buffer_size(&channel->output), MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            set_lost(error);
            return false;
        }
        wire_buffer_consume(&channel->output, (size_t)size);
    }
    return true;
}

bool berth_channel_fill(BerthChannel *channel, GError **error)
{
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

int berth_channel_next(BerthChannel *channel, WireFrame *ret_frame, GError **error)
{
    wire_buffer_consume(&channel->input, channel->consumed);
    channel->consumed = 0;

    int found = wire_frame_peek(&channel->input, ret_frame);
    if (found == 1)
        channel->consumed = WIRE_HEADER_SIZE + ret_frame->size;
    if (found < 0)
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "wire.frame", NULL,
                        "the keeper sent something that is not of the protocol");
    return found < 0 ? -1 : found;
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
