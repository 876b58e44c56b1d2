/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include "distro/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      64
#define CALLS_MAX    64u
#define QUEUE_MAX    (256u * 1024u) /* stop reading while so much is queued for the host */
#define READ_SIZE    65536u
#define CLIENT_MAX   (4u * WIRE_WINDOW) /* more than the host may send with the client's credit */
#define STATUS_BERTH 125

struct Call {
    Calls *calls;
    uint32_t stream;
    Source source;
    WireBuffer in;  /* from the program */
    WireBuffer out; /* to it */
    bool begun;     /* CALL was passed on */
    bool ended;     /* nothing more is passed on: the queue is written, then it is closed */
    bool over;      /* closed */
};

static void close_call(Call *call)
{
    call->over = true;
    loop_close(call->calls->loop, &call->source);
    wire_buffer_clear(&call->in);
    wire_buffer_clear(&call->out);
}

/* The program has gone or broken the protocol. */
static void hang_up(Call *call)
{
    if (call->begun && !call->ended)
        wire_frame_put(call->calls->out, WIRE_CLOSE, 0, call->stream, NULL, 0);
    close_call(call);
}

static void put_failed(Call *call, const char *message)
{
    size_t begin = wire_frame_begin(&call->out, WIRE_FAILED, 0, call->stream);
    wire_put_u8(&call->out, STATUS_BERTH);
    wire_put_string(&call->out, message);
    wire_frame_end(&call->out, begin);
    call->ended = true;
}

static void watch(Call *call)
{
    bool room = wire_buffer_size(call->calls->out) < QUEUE_MAX;
    if (!room)
        call->calls->waiting = true;
    uint32_t events = (room ? (uint32_t)EPOLLIN : 0) |
                      (wire_buffer_size(&call->out) > 0 ? (uint32_t)EPOLLOUT : 0);
    loop_watch(call->calls->loop, &call->source, events);
}

static void flush(Call *call)
{
    while (!call->over && wire_buffer_size(&call->out) > 0) {
        ssize_t size = send(call->source.fd, wire_buffer_head(&call->out),
                            wire_buffer_size(&call->out), MSG_NOSIGNAL);
        if (size > 0)
            wire_buffer_consume(&call->out, (size_t)size);
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            hang_up(call);
    }
    if (call->over)
        return;
    if (call->ended && wire_buffer_size(&call->out) == 0)
        close_call(call);
    else
        watch(call);
}

/* Pass a frame of the program on. False: it may not send that. */
static bool pass_on(Call *call, const WireFrame *frame)
{
    static const WireType types[] = {WIRE_MORE,   WIRE_DATA,   WIRE_EOF,  WIRE_CREDIT,
                                     WIRE_SIGNAL, WIRE_RESIZE, WIRE_CLOSE};
    bool good = frame->type == WIRE_CALL && !call->begun;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        good = good || (frame->type == types[i] && call->begun);
    if (!good)
        return false;
    call->begun = true;
    if (!call->ended)
        wire_frame_put(call->calls->out, frame->type, frame->channel, call->stream, frame->payload,
                       frame->size);
    return true;
}

static void receive(Call *call)
{
    WireFrame frame;
    uint8_t *room = wire_buffer_reserve(&call->in, READ_SIZE);
    ssize_t size = room != NULL ? recv(call->source.fd, room, READ_SIZE, 0) : 0;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int result = size > 0 ? 1 : -EPIPE;
    if (size > 0)
        wire_buffer_added(&call->in, (size_t)size);
    while (result > 0 && (result = wire_frame_peek(&call->in, &frame)) > 0) {
        result = pass_on(call, &frame) ? 1 : -EPROTO;
        wire_buffer_consume(&call->in, WIRE_HEADER_SIZE + frame.size);
    }
    if (result < 0)
        hang_up(call);
}

static void on_client(Source *source, uint32_t events)
{
    Call *call = container_of(source, Call, source);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        receive(call);
    if (!call->over)
        flush(call);
}

/* ---- accepting ---- */

static bool may_call(const Calls *calls, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    if (peer.uid == 0)
        return true;
    User user;
    char message[160];
    const DefaultUsers defaults = {"", *calls->user};
    if (!user_choose("", &defaults, &user, message, sizeof(message)))
        return false;
    bool is_user = user.uid == peer.uid;
    user_clear(&user);
    return is_user;
}

/* NULL, with @fd closed: there is no memory, or there are too many. */
static Call *add_call(Calls *calls, int fd)
{
    Call *call = calls->count < CALLS_MAX ? calloc(1, sizeof(*call)) : NULL;
    Call **grown = call != NULL ? realloc(calls->list, (calls->count + 1) * sizeof(Call *)) : NULL;
    if (grown == NULL) {
        free(call);
        close(fd);
        return NULL;
    }
    calls->list = grown;
    calls->list[calls->count++] = call;
    call->calls = calls;
    call->stream = ++calls->last | WIRE_GUEST_STREAM;
    loop_add(calls->loop, &call->source, fd, EPOLLIN, on_client);
    return call;
}

static void on_listener(Source *source, uint32_t events)
{
    Calls *calls = container_of(source, Calls, listener);
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    bool may = may_call(calls, fd);
    Call *call = add_call(calls, fd);
    if (call == NULL || may)
        return;
    put_failed(call, "only root and the default user of this distro may use the host");
    flush(call);
}

int calls_listen(Calls *calls, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int problem = errno;
        close(fd);
        return -problem;
    }
    loop_add(calls->loop, &calls->listener, fd, EPOLLIN, on_listener);
    calls->ssh_agent.loop = calls->gpg_agent.loop = calls->loop;
    int result = ssh_agent_listen(&calls->ssh_agent, path, SSH_AGENT_SUFFIX, SSH_AGENT_PROGRAM);
    if (result == 0)
        result = ssh_agent_listen(&calls->gpg_agent, path, GPG_AGENT_SUFFIX, GPG_AGENT_PROGRAM);
    return result;
}

/* ---- all calls ---- */

static Call *find(const Calls *calls, uint32_t stream)
{
    for (size_t i = 0; i < calls->count; i++)
        if (!calls->list[i]->over && calls->list[i]->stream == stream)
            return calls->list[i];
    return NULL;
}

void calls_frame(Calls *calls, const WireFrame *frame)
{
    Call *call = find(calls, frame->stream);
    if (call == NULL || call->ended)
        return;
    wire_frame_put(&call->out, frame->type, frame->channel, call->stream, frame->payload,
                   frame->size);
    call->ended = frame->type == WIRE_EXIT || frame->type == WIRE_FAILED;
    if (call->out.failed || wire_buffer_size(&call->out) > CLIENT_MAX)
        hang_up(call);
    else
        flush(call);
}

void calls_resume(Calls *calls)
{
    calls->waiting = false;
    for (size_t i = 0; i < calls->count; i++)
        if (!calls->list[i]->over)
            watch(calls->list[i]);
}

void calls_abandon(Calls *calls)
{
    for (size_t i = 0; i < calls->count; i++)
        close_call(calls->list[i]);
}

void calls_sweep(Calls *calls)
{
    size_t kept = 0;
    for (size_t i = 0; i < calls->count; i++) {
        if (calls->list[i]->over)
            free(calls->list[i]);
        else
            calls->list[kept++] = calls->list[i];
    }
    calls->count = kept;
}

void calls_clear(Calls *calls)
{
    calls_abandon(calls);
    calls_sweep(calls);
    free(calls->list);
    calls->list = NULL;
    loop_close(calls->loop, &calls->listener);
    loop_close(calls->loop, &calls->ssh_agent.listener);
    loop_close(calls->loop, &calls->gpg_agent.listener);
}
