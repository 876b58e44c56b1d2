/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <unistd.h>

#define EVENTS_MAX 64

int loop_init(Loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll >= 0 ? 0 : -errno;
}

void loop_add(Loop *loop, Source *source, int fd, uint32_t events, SourceReady ready)
{
    *source = (Source){.fd = fd, .ready = ready};
    loop_watch(loop, source, events);
}

void loop_watch(Loop *loop, Source *source, uint32_t events)
{
    if (!source_is_open(source) || source->watched == events)
        return;

    int operation = events == 0            ? EPOLL_CTL_DEL
                    : source->watched == 0 ? EPOLL_CTL_ADD
                                           : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(loop->epoll, operation, source->fd, &event);
    source->watched = events;
}

void loop_close(Loop *loop, Source *source)
{
    if (!source_is_open(source))
        return;
    loop_watch(loop, source, 0); /* epoll would go on to report it while a duplicate is open */
    close(source->fd);
    source->fd = -1;
}

int loop_turn(Loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(loop->epoll, events, EVENTS_MAX, -1);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;

    for (int i = 0; i < count; i++) {
        Source *source = events[i].data.ptr;
        if (source_is_open(source) && source->watched != 0)
            source->ready(source, events[i].events);
    }
    return 0;
}
