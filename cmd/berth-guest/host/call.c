/* SPDX-License-Identifier: MIT */
#include "call.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536u
/* A pipe that poll says is writable takes so much without blocking. Source: pipe(7), PIPE_BUF. */
#define WRITE_SIZE 4096u

static void put_number(CallSession *session, WireType type, uint8_t channel, uint32_t number)
{
    size_t begin = wire_frame_begin(&session->out, type, channel, CALL_STREAM);
    wire_put_u32(&session->out, number);
    wire_frame_end(&session->out, begin);
}

/* ---- frames of the host ---- */

static void end(CallSession *session, int status)
{
    session->over = true;
    session->status = status;
}

static void fail(CallSession *session, const char *name, int status, const char *message)
{
    tty_restore();
    fprintf(stderr, "%s: ", name);
    for (; *message != '\0'; message++)
        fputc((unsigned char)*message < ' ' ? '?' : *message, stderr);
    fputc('\n', stderr);
    end(session, status);
}

static void on_opened(CallSession *session, const char *name, WireReader *reader)
{
    wire_get_u32(reader); /* the host's pid */
    const char *warning = wire_get_string(reader);
    session->opened = true;
    if (*warning != '\0')
        fprintf(stderr, "%s: %s\n", name, warning);
    tty_make_raw(session->tty);
}

static void on_failed(CallSession *session, const char *name, WireReader *reader)
{
    int status = wire_get_u8(reader);
    fail(session, name, status == WIRE_FAILED_TOO_LONG ? CALL_NOT_EXECUTABLE : status,
         wire_get_string(reader));
}

static void on_exit_frame(CallSession *session, WireReader *reader)
{
    uint8_t kind = wire_get_u8(reader);
    uint8_t code = wire_get_u8(reader);
    end(session, kind == WIRE_SIGNALED ? 128 + code : code);
}

static bool on_data(CallSession *session, const WireFrame *frame)
{
    if (!wire_credit_spend(&session->credits[frame->channel], frame->size))
        return false;
    wire_buffer_append(&session->queues[frame->channel], frame->payload, frame->size);
    return !session->queues[frame->channel].failed;
}

static bool handle_frame(CallSession *session, const char *name, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    if (frame->type == WIRE_DATA)
        return on_data(session, frame);
    if (frame->type == WIRE_EOF && frame->channel == WIRE_STDIN)
        session->input_ended = true; /* only where input is a terminal */
    if (frame->type == WIRE_OPENED)
        on_opened(session, name, &reader);
    else if (frame->type == WIRE_FAILED)
        on_failed(session, name, &reader);
    else if (frame->type == WIRE_EXIT)
        on_exit_frame(session, &reader);
    else if (frame->type == WIRE_CREDIT)
        return wire_credit_grant(&session->input, wire_get_u32(&reader)) &&
               wire_reader_done(&reader);
    return !reader.failed;
}

static void receive(CallSession *session, const char *name)
{
    WireFrame frame;
    uint8_t *room = wire_buffer_reserve(&session->in, READ_SIZE);
    ssize_t size = room != NULL ? recv(session->fd, room, READ_SIZE, MSG_DONTWAIT) : 0;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0)
        wire_buffer_added(&session->in, (size_t)size);
    int result = size > 0 ? 1 : -EPIPE;
    while (result > 0 && !session->over && (result = wire_frame_peek(&session->in, &frame)) > 0) {
        result = handle_frame(session, name, &frame) ? 1 : -EPROTO;
        wire_buffer_consume(&session->in, WIRE_HEADER_SIZE + frame.size);
    }
    if (result < 0 && !session->over)
        fail(session, name, CALL_BERTH, "the connection to the host has ended");
}

/* ---- our streams ---- */

static void send_some(CallSession *session)
{
    ssize_t size = send(session->fd, wire_buffer_head(&session->out),
                        wire_buffer_size(&session->out), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0)
        wire_buffer_consume(&session->out, (size_t)size);
    else if (size < 0 && errno != EAGAIN && errno != EINTR)
        wire_buffer_clear(&session->out); /* what was received before says why it ended */
}

static void read_input(CallSession *session)
{
    uint8_t bytes[WIRE_DATA_MAX];
    size_t most = session->input.available;
    ssize_t size = read(STDIN_FILENO, bytes, most < sizeof(bytes) ? most : sizeof(bytes));
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0 && wire_credit_spend(&session->input, (uint32_t)size)) {
        wire_frame_put(&session->out, WIRE_DATA, WIRE_STDIN, CALL_STREAM, bytes, (size_t)size);
        return;
    }
    session->input_ended = true;
    wire_frame_put(&session->out, WIRE_EOF, WIRE_STDIN, CALL_STREAM, NULL, 0);
}

/* Write some of the queue, or drop all of it once its reader has closed the descriptor. */
static void write_output(CallSession *session, int channel)
{
    WireBuffer *queue = &session->queues[channel];
    size_t size = wire_buffer_size(queue);
    if (!session->closed[channel]) {
        ssize_t written =
            write(channel, wire_buffer_head(queue), size < WRITE_SIZE ? size : WRITE_SIZE);
        if (written < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        session->closed[channel] = written < 0;
        if (written < 0)
            wire_frame_put(&session->out, WIRE_EOF, (uint8_t)channel, CALL_STREAM, NULL, 0);
        else
            size = (size_t)written;
    }
    wire_buffer_consume(queue, size);
    uint32_t credit = wire_credit_return(&session->credits[channel], (uint32_t)size);
    if (credit > 0)
        put_number(session, WIRE_CREDIT, (uint8_t)channel, credit);
}

/* ---- signals ---- */

static int open_signals(void)
{
    static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signal(CallSession *session, int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGCONT)
        tty_make_raw(session->tty);
    if (info.ssi_signo != SIGWINCH) {
        put_number(session, WIRE_SIGNAL, 0, info.ssi_signo);
        return;
    }
    struct winsize size = tty_size(session->tty);
    size_t begin = wire_frame_begin(&session->out, WIRE_RESIZE, 0, CALL_STREAM);
    wire_put_u16(&session->out, size.ws_row);
    wire_put_u16(&session->out, size.ws_col);
    wire_frame_end(&session->out, begin);
}

/* ---- the loop ---- */

enum { INPUT, OUTPUT, ERRORS, CONNECTION, SIGNALS, WATCHED };

static bool reads_input(const CallSession *session)
{
    return session->opened && !session->over && !session->input_ended &&
           session->input.available > 0 && wire_buffer_size(&session->out) < WIRE_WINDOW;
}

static bool has_output(const CallSession *session)
{
    for (int i = 0; i < WIRE_CHANNELS; i++)
        if (wire_buffer_size(&session->queues[i]) > 0)
            return true;
    return false;
}

static void turn(CallSession *session, int signals, const char *name)
{
    struct pollfd watched[WATCHED] = {
        {.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = session->fd}, {.fd = signals, .events = POLLIN}};
    for (int i = 0; i < WIRE_CHANNELS; i++)
        if (wire_buffer_size(&session->queues[i]) > 0)
            watched[i] = (struct pollfd){.fd = i, .events = POLLOUT};
    if (reads_input(session)) {
        watched[INPUT].fd = STDIN_FILENO;
        watched[INPUT].events |= POLLIN;
    }
    if (session->over)
        watched[CONNECTION].fd = -1;
    watched[CONNECTION].events =
        (short)(POLLIN | (wire_buffer_size(&session->out) > 0 ? POLLOUT : 0));
    if (poll(watched, WATCHED, -1) < 0)
        return;
    if (watched[SIGNALS].revents != 0)
        on_signal(session, signals);
    for (int i = 0; i < WIRE_CHANNELS; i++)
        if ((watched[i].events & POLLOUT) != 0 && (watched[i].revents & ~POLLIN) != 0)
            write_output(session, i);
    if ((watched[INPUT].events & POLLIN) != 0 && (watched[INPUT].revents & ~POLLOUT) != 0)
        read_input(session);
    if ((watched[CONNECTION].revents & POLLOUT) != 0)
        send_some(session);
    if ((watched[CONNECTION].revents & ~POLLOUT) != 0)
        receive(session, name);
}

int call_run(CallSession *session, const char *name)
{
    int signals = open_signals();
    session->input = (WireCredit)WIRE_CREDIT_INIT;
    for (int i = 0; i < WIRE_CHANNELS; i++)
        session->credits[i] = (WireCredit)WIRE_CREDIT_INIT;
    while (!session->over || has_output(session))
        turn(session, signals, name);
    tty_restore();
    close(session->fd);
    close(signals);
    wire_buffer_clear(&session->out);
    wire_buffer_clear(&session->in);
    for (int i = 0; i < WIRE_CHANNELS; i++)
        wire_buffer_clear(&session->queues[i]);
    return session->status;
}
