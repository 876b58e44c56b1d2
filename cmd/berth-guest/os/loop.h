/* SPDX-License-Identifier: MIT
 *
 * loop — the agent's event loop, on epoll: a source is a descriptor with a callback.
 *
 * A Source is embedded in its owner and owns its descriptor; zero-initialise it and add it. Its
 * memory must outlive the loop_turn in which it is closed, since events of that turn may still
 * point at it; they are dropped. Free it between turns.
 *
 * The kernel refuses to watch a descriptor when it is out of memory or the user is out of epoll
 * watches. The loop keeps such a source and tries again in each turn, so owners need no error path.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

typedef struct Source Source;
typedef void (*SourceReady)(Source *source, uint32_t events);

struct Source {
    int fd;           /* valid only while `ready` is set; -1 once closed */
    uint32_t wanted;  /* by the owner */
    uint32_t watched; /* by the kernel */
    SourceReady ready;
    Source *next_refused; /* in the loop's list, while `wanted` and `watched` differ */
};

typedef struct {
    int epoll;
    Source *refused; /* sources that the kernel could not watch yet */
} Loop;

#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

/* 0, or -errno. */
int loop_init(Loop *loop);

/* Takes @fd and watches it for @events (EPOLLIN, ...; 0: none yet). */
void loop_add(Loop *loop, Source *source, int fd, uint32_t events, SourceReady ready);

/* Change the watched events; 0 also masks hang-ups, which epoll would report for ever. A closed
 * source is ignored. */
void loop_watch(Loop *loop, Source *source, uint32_t events);

/* Close the descriptor. A closed source is ignored. */
void loop_close(Loop *loop, Source *source);

static inline bool source_is_open(const Source *source)
{
    return source->ready != NULL && source->fd >= 0;
}

/* Wait for events and call the callback of each ready source once. 0, or -errno. */
int loop_turn(Loop *loop);
