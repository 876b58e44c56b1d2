/* SPDX-License-Identifier: MIT */
#include "session_private.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TAIL_UNKNOWN SIZE_MAX
/* More than a terminal buffers: 64 KiB and the buffer of its line discipline. */
#define TERMINAL_HOLDS 131072

static bool queue_has_room(const Session *session)
{
    return session->abandoned || wire_buffer_size(session->host->out) < SESSION_QUEUE_MAX;
}

void output_watch(Output *output)
{
    const Session *session = output->session;
    bool may = output->ended || (session->running && output->credit.available > 0);
    bool room = output->ended || queue_has_room(session);
    if (may && !room)
        session->host->waiting = true;
    loop_watch(session->host->loop, &output->source, may && room ? EPOLLIN : 0);
}

static void output_end(Output *output)
{
    if (!output->ended)
        session_put(output->session, WIRE_EOF, output->channel, NULL, 0);
    output->ended = true;
}

void output_close(Output *output)
{
    output_end(output);
    loop_close(output->session->host->loop, &output->source);
}

/* How many bytes may be read now. */
static size_t output_room(const Output *output)
{
    if (output->ended)
        return WIRE_DATA_MAX; /* output_send drops them */
    if (!queue_has_room(output->session))
        return 0;
    size_t room = WIRE_DATA_MAX;
    if (room > output->credit.available)
        room = output->credit.available;
    return room < output->tail ? room : output->tail;
}

static void output_send(Output *output, const uint8_t *bytes, size_t size)
{
    if (output->ended)
        return;
    wire_credit_spend(&output->credit, (uint32_t)size);
    session_put(output->session, WIRE_DATA, output->channel, bytes, size);
    if (output->tail != TAIL_UNKNOWN)
        output->tail -= size;
    if (output->tail == 0)
        output_end(output);
}

/* Read once. False when nothing more can be read now. */
static bool output_read(Output *output)
{
    uint8_t bytes[WIRE_DATA_MAX];
    size_t room = output_room(output);
    if (room == 0 || !source_is_open(&output->source))
        return false;

    ssize_t size = read(output->source.fd, bytes, room);
    if (size > 0)
        output_send(output, bytes, (size_t)size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        output_close(output); /* a terminal ends with EIO */
    else if (output->tail != TAIL_UNKNOWN)
        output_end(output); /* the tail is delivered */
    return size > 0;
}

/* Read the tail without waiting for events: only a read shows that a terminal is empty. */
void output_continue(Output *output)
{
    if (output->tail != TAIL_UNKNOWN && !output->ended)
        while (output_read(output) && !output->ended)
            continue;
    output_watch(output);
}

static void on_output(Source *source, uint32_t events)
{
    Output *output = container_of(source, Output, source);
    output_read(output);
    output_watch(output);
    session_advance(output->session);
}

void output_measure_tail(Output *output)
{
    if (output->ended || output->tail != TAIL_UNKNOWN)
        return;
    int held = 0;
    if (output->terminal)
        held = TERMINAL_HOLDS;
    else
        ioctl(output->source.fd, FIONREAD, &held);
    output->tail = held > 0 ? (size_t)held : 0;
    if (output->tail == 0)
        output_end(output);
    output_continue(output);
}

void output_init(Output *output, Session *session, WireChannel channel, int fd, bool terminal)
{
    *output = (Output){
        .session = session,
        .channel = channel,
        .credit = WIRE_CREDIT_INIT,
        .tail = TAIL_UNKNOWN,
        .terminal = terminal,
        .ended = fd < 0, /* a stream that does not exist gets no EOF */
    };
    if (fd >= 0)
        loop_add(session->host->loop, &output->source, fd, 0, on_output);
}
