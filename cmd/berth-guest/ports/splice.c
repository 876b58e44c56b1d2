/* SPDX-License-Identifier: MIT */
#include "splice.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define SPLICE_MAX 65536u /* a pipe's capacity */

enum { READ_END, WRITE_END };

/* One way: from one source through a pipe to the other. */
typedef struct {
    int pipe[2];
    size_t held; /* bytes in the pipe */
    bool ended;  /* nothing follows them */
    bool shut;   /* and the reader knows that */
} Way;

struct Pump {
    Loop *loop;
    Source ends[2]; /* the client, the service */
    Way ways[2];    /* from ends[i] to the other */
    bool connecting;
    bool over;
    void (*ended)(Pump *pump, void *data);
    void *data;
};

static void reset(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void close_ends(Pump *pump, bool by_reset)
{
    for (size_t i = 0; i < 2; i++) {
        if (by_reset && source_is_open(&pump->ends[i]))
            reset(pump->ends[i].fd);
        loop_close(pump->loop, &pump->ends[i]);
    }
}

static void finish(Pump *pump, bool by_reset)
{
    if (pump->over)
        return;
    pump->over = true;
    close_ends(pump, by_reset);
    pump->ended(pump, pump->data);
}

/* Move what can be moved one way. False when the connection is broken. */
static bool move(Pump *pump, size_t from)
{
    Way *way = &pump->ways[from];
    int in = pump->ends[from].fd;
    int out = pump->ends[1 - from].fd;
    const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    for (;;) {
        if (way->held == 0 && !way->ended) {
            ssize_t size = splice(in, NULL, way->pipe[WRITE_END], NULL, SPLICE_MAX, flags);
            if (size < 0)
                return errno == EAGAIN || errno == EINTR;
            way->ended = size == 0;
            way->held = (size_t)size;
        }
        if (way->held == 0)
            break;
        ssize_t size = splice(way->pipe[READ_END], NULL, out, NULL, way->held, flags);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        way->held -= (size_t)size;
    }
    if (way->ended && !way->shut) {
        way->shut = true;
        shutdown(out, SHUT_WR);
    }
    return true;
}

/* Read where the pipe is empty, write where it is not. */
static void watch(Pump *pump)
{
    for (size_t i = 0; i < 2; i++) {
        const Way *leaving = &pump->ways[i];
        const Way *arriving = &pump->ways[1 - i];
        bool reads = leaving->held == 0 && !leaving->ended;
        bool writes = arriving->held > 0;
        loop_watch(pump->loop, &pump->ends[i],
                   (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0));
    }
}

static void advance(Pump *pump)
{
    for (size_t from = 0; from < 2; from++) {
        if (!move(pump, from)) {
            finish(pump, true);
            return;
        }
    }
    if (pump->ways[0].shut && pump->ways[1].shut)
        finish(pump, false);
    else
        watch(pump);
}

static void on_client(Source *source, uint32_t events)
{
    advance(container_of(source, Pump, ends[0]));
}

static void on_service(Source *source, uint32_t events)
{
    Pump *pump = container_of(source, Pump, ends[1]);
    if (pump->connecting) {
        int problem = 0;
        getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &problem, &(socklen_t){sizeof(problem)});
        pump->connecting = false;
        if (problem != 0) {
            finish(pump, true);
            return;
        }
    }
    advance(pump);
}

static int dial(const struct sockaddr_storage *target)
{
    int fd = socket(target->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size =
        target->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, (const struct sockaddr *)target, size) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static bool open_pipes(Pump *pump)
{
    bool whole = true;
    for (size_t i = 0; i < 2; i++) {
        if (pipe2(pump->ways[i].pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
            pump->ways[i].pipe[READ_END] = pump->ways[i].pipe[WRITE_END] = -1;
            whole = false;
        }
    }
    return whole;
}

static void close_pipes(Pump *pump)
{
    for (size_t i = 0; i < 4; i++) {
        if (pump->ways[i / 2].pipe[i % 2] >= 0)
            close(pump->ways[i / 2].pipe[i % 2]);
    }
}

Pump *pump_new(Loop *loop, int client, const struct sockaddr_storage *target,
               void (*ended)(Pump *pump, void *data), void *data)
{
    Pump *pump = calloc(1, sizeof(*pump));
    int service = pump != NULL ? dial(target) : -1;
    if (service < 0 || !open_pipes(pump)) {
        reset(client);
        close(client);
        if (service >= 0) {
            close(service);
            close_pipes(pump);
        }
        free(pump);
        return NULL;
    }
    pump->loop = loop;
    pump->connecting = true;
    pump->ended = ended;
    pump->data = data;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    loop_add(loop, &pump->ends[0], client, 0, on_client);
    loop_add(loop, &pump->ends[1], service, EPOLLOUT, on_service);
    return pump;
}

void pump_free(Pump *pump)
{
    if (pump == NULL)
        return;
    close_ends(pump, true);
    close_pipes(pump);
    free(pump);
}
