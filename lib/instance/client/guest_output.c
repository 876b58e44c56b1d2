/* SPDX-License-Identifier: MIT */
#include "guest_output.h"

#include "session_open.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

void berth_guest_output_clear(BerthGuestOutput *output)
{
    wire_buffer_clear(&output->waiting);
}

static void give_credit(BerthGuestOutput *output, gsize size, WireBuffer *frames)
{
    guint32 credit = wire_credit_return(&output->credit, (guint32)size);
    if (credit == 0)
        return;
    size_t begin =
        wire_frame_begin(frames, WIRE_CREDIT, (guint8)output->channel, BERTH_SESSION_STREAM);
    wire_put_u32(frames, credit);
    wire_frame_end(frames, begin);
}

/* The reader of this output has gone: send EOF, so that the command gets EPIPE as with any pipe.
 * Not for WIRE_STDIN's, a terminal's output: EOF on that channel would end the input. */
static void break_output(BerthGuestOutput *output, WireBuffer *frames)
{
    gsize size = wire_buffer_size(&output->waiting);
    output->broken = true;
    wire_buffer_consume(&output->waiting, size);
    give_credit(output, size, frames);
    if (output->channel != WIRE_STDIN)
        wire_frame_put(frames, WIRE_EOF, (guint8)output->channel, BERTH_SESSION_STREAM, NULL, 0);
}

/* Write once, when it polls writable. To a descriptor that may block at most PIPE_BUF bytes, which
 * then do not. */
static void write_some(BerthGuestOutput *output, WireBuffer *frames)
{
    gsize most = output->nonblocking ? WIRE_WINDOW : (gsize)PIPE_BUF;
    gsize size = MIN(wire_buffer_size(&output->waiting), most);
    ssize_t written = write(output->fd, wire_buffer_head(&output->waiting), size);
    if (written < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (written < 0) {
        break_output(output, frames);
        return;
    }
    wire_buffer_consume(&output->waiting, (gsize)written);
    give_credit(output, (gsize)written, frames);
}

void berth_guest_output_serve(BerthGuestOutput *output, short revents, WireBuffer *frames)
{
    if ((revents & POLLOUT) != 0)
        write_some(output, frames);
    else if (revents != 0)
        break_output(output, frames);
}

bool berth_guest_output_append(BerthGuestOutput *output, const WireFrame *frame, WireBuffer *frames)
{
    if (!wire_credit_spend(&output->credit, frame->size))
        return false;
    if (output->broken || output->fd < 0)
        give_credit(output, frame->size, frames);
    else
        wire_buffer_append(&output->waiting, frame->payload, frame->size);
    return true;
}

bool berth_guest_output_waits(const BerthGuestOutput *output)
{
    return wire_buffer_size(&output->waiting) > 0;
}

/* Idle outputs are polled too, to see POLLERR when the reader goes. poll skips a negative fd. */
struct pollfd berth_guest_output_poll(const BerthGuestOutput *output, bool running)
{
    bool waits = berth_guest_output_waits(output);
    bool wanted = !output->broken && (running || waits);
    return (struct pollfd){wanted ? output->fd : -1, waits ? POLLOUT : 0, 0};
}
