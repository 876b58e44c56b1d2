/* SPDX-License-Identifier: MIT
 *
 * loop — the agent's event loop: sources are descriptors with a function, epoll says which is
 * ready.
 *
 * A Source lives inside what it belongs to and owns its descriptor; zero-initialise it and add it.
 * Its memory must outlive the loop_turn in which it is closed (events of the same turn may still
 * point at it; they are dropped): free in between turns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

typedef struct Source Source;
typedef void (*SourceReady)(Source *source, uint32_t events);

struct Source {
    int fd; /* valid only while `ready` is set; -1 once closed */
    uint32_t watched;
    SourceReady ready;
};

typedef struct {
    int epoll;
} Loop;

#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

/* 0, or -errno. */
int loop_init(Loop *loop);

/* Take @fd and watch it for @events (EPOLLIN, ...; 0 is nothing yet). */
void loop_add(Loop *loop, Source *source, int fd, uint32_t events, SourceReady ready);

/* Watch for other events; 0 is nothing at all, not even a hang-up, which would else be reported for
 * ever. On a source that is not open: nothing. */
void loop_watch(Loop *loop, Source *source, uint32_t events);

/* Close the descriptor. On a source that is not open: nothing. */
void loop_close(Loop *loop, Source *source);

static inline bool source_is_open(const Source *source)
{
    return source->ready != NULL && source->fd >= 0;
}

/* Wait for events and call the functions of the ready sources, each once. 0, or -errno. */
int loop_turn(Loop *loop);
