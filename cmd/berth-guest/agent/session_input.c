/* SPDX-License-Identifier: MIT */
#include "session_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static void put_credit(Session *session, uint32_t size)
{
    if (size == 0 || session->abandoned)
        return;
    size_t begin = wire_frame_begin(session->host->out, WIRE_CREDIT, WIRE_STDIN, session->stream);
    wire_put_u32(session->host->out, size);
    wire_frame_end(session->host->out, begin);
}

/* The number of bytes in the pipe at @fd. */
static uint64_t pending(int fd)
{
    int size = 0;
    return fd >= 0 && ioctl(fd, FIONREAD, &size) == 0 && size > 0 ? (uint64_t)size : 0;
}

bool input_consumed(const Input *input, uint64_t *ret_consumed)
{
    uint64_t left = input->dropped + wire_buffer_size(&input->queue) + pending(input->probe) +
                    pending(source_is_open(&input->source) ? input->source.fd : -1);
    *ret_consumed = input->received > left ? input->received - left : 0;
    return !input->terminal && !input->unknown;
}

void input_free(Input *input)
{
    input_close(input);
    if (input->probe >= 0)
        close(input->probe);
    input->probe = -1;
}

void input_close(Input *input)
{
    input->dropped += wire_buffer_size(&input->queue);
    if (source_is_open(&input->source) && input->probe < 0)
        input->dropped += pending(input->source.fd);
    loop_close(input->session->host->loop, &input->source);
    wire_buffer_clear(&input->queue);
}

/* End the input: write the end-of-file character to a terminal in canonical mode, close a pipe. */
static void input_end(Input *input)
{
    struct termios modes;
    if (input->terminal && tcgetattr(input->source.fd, &modes) == 0 &&
        (modes.c_lflag & ICANON) != 0) {
        ssize_t written = write(input->source.fd, &modes.c_cc[VEOF], 1);
        (void)written; /* EAGAIN: the terminal is full because no process reads it */
    }
    if (input->terminal || !source_is_open(&input->source))
        return;
    /* Keep a read end: the command reads on after the close, and FIONREAD needs a descriptor. */
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", input->source.fd);
    input->probe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    input->unknown = input->probe < 0;
    input_close(input);
}

void input_drop(Input *input)
{
    put_credit(input->session,
               wire_credit_return(&input->credit, (uint32_t)wire_buffer_size(&input->queue)));
    input_close(input);
}

void input_flush(Input *input)
{
    uint32_t passed = 0;
    while (source_is_open(&input->source) && wire_buffer_size(&input->queue) > 0) {
        ssize_t size = write(input->source.fd, wire_buffer_head(&input->queue),
                             wire_buffer_size(&input->queue));
        if (size > 0) {
            wire_buffer_consume(&input->queue, (size_t)size);
            passed += (uint32_t)size;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            input_drop(input);
        }
    }
    put_credit(input->session, wire_credit_return(&input->credit, passed));

    bool empty = wire_buffer_size(&input->queue) == 0;
    if (empty && input->eof)
        input_end(input);
    loop_watch(input->session->host->loop, &input->source, empty ? 0 : EPOLLOUT);
}

static void on_input(Source *source, uint32_t events)
{
    input_flush(container_of(source, Input, source));
}

void input_init(Input *input, Session *session, int fd, bool terminal)
{
    *input =
        (Input){.session = session, .credit = WIRE_CREDIT_INIT, .terminal = terminal, .probe = -1};
    loop_add(session->host->loop, &input->source, fd, 0, on_input);
}
