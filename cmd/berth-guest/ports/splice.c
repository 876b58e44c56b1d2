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

/* One direction: from one socket through a pipe to the other. */
typedef struct {
    int pipe[2];
    size_t held; /* bytes in the pipe */
    bool ended;  /* the sender closed its half */
    bool shut;   /* and so did we towards the receiver */
} Way;

struct Splice {
    Loop *loop;
    Source ends[2]; /* the client, the service */
    Way ways[2];    /* ways[i] leads from ends[i] to the other */
    bool connecting;
    bool finished;
    void (*ended)(Splice *pair, void *data);
    void *data;
};

static void set_reset_on_close(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void close_ends(Splice *pair, bool by_reset)
{
    for (size_t i = 0; i < 2; i++) {
        if (by_reset && source_is_open(&pair->ends[i]))
            set_reset_on_close(pair->ends[i].fd);
        loop_close(pair->loop, &pair->ends[i]);
    }
}

static void finish(Splice *pair, bool by_reset)
{
    if (pair->finished)
        return;
    pair->finished = true;
    close_ends(pair, by_reset);
    pair->ended(pair, pair->data);
}

/* Move bytes in one direction until a socket would block. False when the connection broke. */
static bool move(Splice *pair, size_t from)
{
    Way *way = &pair->ways[from];
    int in = pair->ends[from].fd;
    int out = pair->ends[1 - from].fd;
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

/* Wait to read where the pipe is empty, and to write where it is not. */
static void watch(Splice *pair)
{
    for (size_t i = 0; i < 2; i++) {
        const Way *leaving = &pair->ways[i];
        const Way *arriving = &pair->ways[1 - i];
        bool reads = leaving->held == 0 && !leaving->ended;
        bool writes = arriving->held > 0;
        loop_watch(pair->loop, &pair->ends[i],
                   (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0));
    }
}

static void advance(Splice *pair)
{
    for (size_t from = 0; from < 2; from++) {
        if (!move(pair, from)) {
            finish(pair, true);
            return;
        }
    }
    if (pair->ways[0].shut && pair->ways[1].shut)
        finish(pair, false);
    else
        watch(pair);
}

static void on_client(Source *source, uint32_t events)
{
    advance(container_of(source, Splice, ends[0]));
}

static void on_service(Source *source, uint32_t events)
{
    Splice *pair = container_of(source, Splice, ends[1]);
    if (pair->connecting) {
        int problem = 0;
        getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &problem, &(socklen_t){sizeof(problem)});
        pair->connecting = false;
        if (problem != 0) {
            finish(pair, true);
            return;
        }
    }
    advance(pair);
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

static bool open_pipes(Splice *pair)
{
    bool whole = true;
    for (size_t i = 0; i < 2; i++) {
        if (pipe2(pair->ways[i].pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
            pair->ways[i].pipe[READ_END] = pair->ways[i].pipe[WRITE_END] = -1;
            whole = false;
        }
    }
    return whole;
}

static void close_pipes(Splice *pair)
{
    for (size_t i = 0; i < 4; i++) {
        if (pair->ways[i / 2].pipe[i % 2] >= 0)
            close(pair->ways[i / 2].pipe[i % 2]);
    }
}

Splice *splice_new(Loop *loop, int client, const struct sockaddr_storage *target,
                   void (*ended)(Splice *pair, void *data), void *data)
{
    Splice *pair = calloc(1, sizeof(*pair));
    int service = pair != NULL ? dial(target) : -1;
    if (service < 0 || !open_pipes(pair)) {
        set_reset_on_close(client);
        close(client);
        if (service >= 0) {
            close(service);
            close_pipes(pair);
        }
        free(pair);
        return NULL;
    }
    pair->loop = loop;
    pair->connecting = true;
    pair->ended = ended;
    pair->data = data;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    loop_add(loop, &pair->ends[0], client, 0, on_client);
    loop_add(loop, &pair->ends[1], service, EPOLLOUT, on_service);
    return pair;
}

void splice_free(Splice *pair)
{
    if (pair == NULL)
        return;
    close_ends(pair, true);
    close_pipes(pair);
    free(pair);
}
