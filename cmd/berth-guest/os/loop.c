/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include "log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define RETRY_MSEC 100

int loop_init(Loop *loop)
{
    *loop = (Loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll >= 0 ? 0 : -errno;
}

void loop_add(Loop *loop, Source *source, int fd, uint32_t events, SourceReady ready)
{
    *source = (Source){.fd = fd, .ready = ready};
    loop_watch(loop, source, events);
}

static bool apply(const Loop *loop, Source *source)
{
    int operation = source->wanted == 0    ? EPOLL_CTL_DEL
                    : source->watched == 0 ? EPOLL_CTL_ADD
                                           : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = source->wanted, .data.ptr = source};
    if (source->watched == source->wanted)
        return true;
    if (epoll_ctl(loop->epoll, operation, source->fd, &event) < 0)
        return false;
    source->watched = source->wanted;
    return true;
}

static void remove_refused(Loop *loop, const Source *source)
{
    Source **link = &loop->refused;
    while (*link != NULL && *link != source)
        link = &(*link)->next_refused;
    if (*link != NULL)
        *link = source->next_refused;
}

static void add_refused(Loop *loop, Source *source)
{
    source->next_refused = loop->refused;
    loop->refused = source;
}

void loop_watch(Loop *loop, Source *source, uint32_t events)
{
    if (!source_is_open(source) || source->wanted == events)
        return;
    source->wanted = events;
    remove_refused(loop, source);
    if (apply(loop, source))
        return;
    log_line("cannot watch a descriptor yet: %s", strerror(errno));
    add_refused(loop, source);
}

static void retry_refused(Loop *loop)
{
    Source *next;
    Source *source = loop->refused;
    loop->refused = NULL;
    for (; source != NULL; source = next) {
        next = source->next_refused;
        if (!apply(loop, source))
            add_refused(loop, source);
    }
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
    retry_refused(loop);
    int timeout = loop->refused != NULL ? RETRY_MSEC : -1; /* the kernel reports no free memory */
    int count = epoll_wait(loop->epoll, events, EVENTS_MAX, timeout);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;

    for (int i = 0; i < count; i++) {
        Source *source = events[i].data.ptr;
        if (source_is_open(source) && source->wanted != 0)
            source->ready(source, events[i].events);
    }
    return 0;
}
