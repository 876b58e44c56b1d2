/* SPDX-License-Identifier: MIT */
#include "listeners.h"

#include "doors.h"
#include "log.h"
#include "natports.h"
#include "sockdiag.h"
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The tracepoint fires just before the socket can be found, and a burst of sockets is one dump. On
 * a busy host "just" may be long: after the first dump there are more, each four times as late. */
#define TICK_NSEC                 2000000L
#define LAST_TICK_NSEC            128000000L
#define SWEEP_NSEC                2000000000L
#define SWEEP_WITHOUT_EVENTS_NSEC 200000000L
#define NSEC_PER_SEC              1000000000L

struct Listeners {
    Loop *loop;
    Netlink diag;
    Doors *doors;  /* or NULL */
    NatPorts *nat; /* or NULL */
    Source trace;
    Source timer;
    long tick_nsec; /* what the timer is set to after an event; 0: for a sweep */
    bool known;
    size_t count;
    ListeningSocket *sockets; /* the last snapshot */
    ListeningSocket *next;    /* room for the one being taken */
    void (*changed)(void *data);
    void *data;
};

static void set_timer(Listeners *listeners, long nsec)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = nsec / NSEC_PER_SEC, .tv_nsec = nsec % NSEC_PER_SEC}};
    timerfd_settime(listeners->timer.fd, 0, &when, NULL);
}

static void set_sweep(Listeners *listeners)
{
    listeners->tick_nsec = 0;
    set_timer(listeners,
              source_is_open(&listeners->trace) ? SWEEP_NSEC : SWEEP_WITHOUT_EVENTS_NSEC);
}

/* A socket seen before keeps its owner: looking it up is the expensive part. */
static void keep_owners(Listeners *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < listeners->count; k++) {
            if (listeners->sockets[k].inode == listeners->next[i].inode)
                memcpy(listeners->next[i].owner, listeners->sockets[k].owner,
                       sizeof(listeners->next[i].owner));
        }
    }
}

static bool same(const ListeningSocket *a, const ListeningSocket *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a[i].listener.port != b[i].listener.port ||
            a[i].listener.relay != b[i].listener.relay ||
            a[i].listener.protocol != b[i].listener.protocol ||
            a[i].listener.family != b[i].listener.family ||
            memcmp(a[i].listener.address, b[i].listener.address, 16) != 0 ||
            strcmp(a[i].owner, b[i].owner) != 0)
            return false;
    }
    return true;
}

static size_t without_doors(const Doors *doors, ListeningSocket *sockets, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (doors == NULL || !doors_own(doors, sockets[i].inode))
            sockets[kept++] = sockets[i];
    return kept;
}

static void take_snapshot(Listeners *listeners)
{
    int found = sockdiag_dump(&listeners->diag, listeners->next, WIRE_LISTENERS_MAX);
    if (found < 0) {
        log_line("cannot list the listening sockets: %s", strerror(-found));
        return;
    }
    size_t count = without_doors(listeners->doors, listeners->next, (size_t)found);
    if (listeners->nat != NULL) {
        count = natports_merge(listeners->nat, listeners->next, count, WIRE_LISTENERS_MAX);
        count = sockdiag_sort(listeners->next, count);
    }
    keep_owners(listeners, count);
    sockdiag_find_owners(listeners->next, count);
    if (listeners->doors != NULL)
        doors_follow(listeners->doors, listeners->next, count);

    bool changed = !listeners->known || listeners->count != count ||
                   !same(listeners->sockets, listeners->next, count);
    ListeningSocket *old = listeners->sockets;
    listeners->sockets = listeners->next;
    listeners->next = old;
    listeners->count = count;
    listeners->known = true;
    if (changed)
        listeners->changed(listeners->data);
}

static void on_timer(Source *source, uint32_t events)
{
    Listeners *listeners = container_of(source, Listeners, timer);
    uint64_t count;
    if (read(source->fd, &count, sizeof(count)) < 0)
        return;
    take_snapshot(listeners);
    if (listeners->tick_nsec == 0 || listeners->tick_nsec >= LAST_TICK_NSEC) {
        set_sweep(listeners);
        return;
    }
    listeners->tick_nsec *= 4;
    set_timer(listeners, listeners->tick_nsec);
}

/* Whatever it was: a dump is due, in a moment. */
static void tick(void *data)
{
    Listeners *listeners = data;
    if (listeners->tick_nsec != TICK_NSEC)
        set_timer(listeners, TICK_NSEC);
    listeners->tick_nsec = TICK_NSEC;
}

static void on_trace(Source *source, uint32_t events)
{
    Listeners *listeners = container_of(source, Listeners, trace);
    char text[4096];
    ssize_t size;
    while ((size = read(source->fd, text, sizeof(text))) > 0)
        continue;
    if (size < 0 && errno != EAGAIN && errno != EINTR)
        loop_close(listeners->loop, source); /* the fast sweep takes over */
    tick(listeners);
}

void listeners_free(Listeners *listeners)
{
    if (listeners == NULL)
        return;
    loop_close(listeners->loop, &listeners->trace);
    loop_close(listeners->loop, &listeners->timer);
    doors_free(listeners->doors);
    natports_free(listeners->nat);
    if (listeners->diag.fd >= 0)
        close(listeners->diag.fd);
    free(listeners->sockets);
    free(listeners->next);
    free(listeners);
}

void listeners_sweep(Listeners *listeners)
{
    if (listeners != NULL && listeners->doors != NULL)
        doors_sweep(listeners->doors);
}

Listeners *listeners_new(Loop *loop, bool use_events, const char *device, const Config *config,
                         void (*changed)(void *data), void *data)
{
    Listeners *listeners = calloc(1, sizeof(*listeners));
    if (listeners == NULL)
        return NULL;
    *listeners = (Listeners){
        .loop = loop,
        .diag = {.fd = -1},
        .doors = device != NULL ? doors_new(loop, device, config) : NULL,
        .changed = changed,
        .data = data,
        .sockets = calloc(WIRE_LISTENERS_MAX, sizeof(ListeningSocket)),
        .next = calloc(WIRE_LISTENERS_MAX, sizeof(ListeningSocket)),
    };
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int problem = netlink_open(&listeners->diag, NETLINK_SOCK_DIAG, 0);
    if (problem < 0 || timer < 0 || listeners->sockets == NULL || listeners->next == NULL) {
        log_line("cannot watch for listening sockets: %s", strerror(errno));
        if (timer >= 0)
            close(timer);
        listeners_free(listeners);
        return NULL;
    }
    loop_add(loop, &listeners->timer, timer, EPOLLIN, on_timer);

    NatPortsSockets rules;
    if (use_events && natports_open(&rules))
        listeners->nat = natports_new(loop, &rules, tick, listeners);
    int trace = use_events ? trace_open_listen_events() : -1;
    if (trace >= 0)
        loop_add(loop, &listeners->trace, trace, EPOLLIN, on_trace);
    else if (use_events)
        log_line("no trace events (%s); looking for listening sockets every 200 ms",
                 strerror(errno));
    set_timer(listeners, 1); /* the first snapshot is due now */
    return listeners;
}

bool listeners_known(const Listeners *listeners)
{
    return listeners->known;
}

void listeners_put(const Listeners *listeners, WireBuffer *buffer)
{
    size_t begin = wire_frame_begin(buffer, WIRE_LISTENERS, 0, 0);
    wire_put_u32(buffer, (uint32_t)listeners->count);
    for (size_t i = 0; i < listeners->count; i++) {
        WireListener listener = listeners->sockets[i].listener;
        listener.owner = listeners->sockets[i].owner;
        wire_put_listener(buffer, &listener);
    }
    wire_frame_end(buffer, begin);
}
