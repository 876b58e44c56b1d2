/* SPDX-License-Identifier: MIT */
#include "listeners.h"

#include "loopback_proxies.h"
#include "natports.h"
#include "sockdiag.h"
#include "trace.h"

#include "os/log.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The tracepoint fires shortly before sockdiag can find the socket, so wait a tick; this also
 * debounces bursts. On a busy host the delay may be long, so repeat the dump, each time after four
 * times the delay. */
#define TICK_NSEC                 2000000L
#define LAST_TICK_NSEC            128000000L
#define SWEEP_NSEC                2000000000L
#define SWEEP_WITHOUT_EVENTS_NSEC 200000000L
#define NSEC_PER_SEC              1000000000L

/* The most sockets that one frame can report; the guest leaves out the others. */
#define SOCKETS_MAX (WIRE_LISTENERS_MAX + WIRE_OTHERS_MAX)

/* The first `followed` sockets have owners and proxies. Sorted as by sockdiag_sort. */
typedef struct {
    ListeningSocket *sockets; /* SOCKETS_MAX allocated */
    size_t count;
    size_t followed;
} Snapshot;

struct Listeners {
    Loop *loop;
    Netlink diag;
    LoopbackProxies *proxies; /* or NULL */
    NatPorts *nat;            /* or NULL */
    Source trace;
    Source timer;
    long tick_nsec; /* the timer's delay after an event; 0: the timer is set for a sweep */
    bool known;
    bool overflow_logged;       /* the log already says that sockets are left out */
    bool rules_overflow_logged; /* likewise ports of the packet filter */
    bool chains_overflow_logged;
    Snapshot now;
    Snapshot next; /* the snapshot being filled */
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

/* Copy the owners of known sockets, since looking them up is expensive. */
static void keep_owners(Listeners *listeners)
{
    const Snapshot *now = &listeners->now;
    Snapshot *next = &listeners->next;
    for (size_t i = 0; i < next->followed; i++) {
        for (size_t k = 0; k < now->followed; k++) {
            if (now->sockets[k].inode == next->sockets[i].inode)
                memcpy(next->sockets[i].owner, now->sockets[k].owner,
                       sizeof(next->sockets[i].owner));
        }
    }
}

static bool same(const Snapshot *left, const Snapshot *right)
{
    if (left->count != right->count || left->followed != right->followed)
        return false;
    for (size_t i = 0; i < left->count; i++) {
        const ListeningSocket *a = &left->sockets[i];
        const ListeningSocket *b = &right->sockets[i];
        if (a->listener.port != b->listener.port || a->listener.relay != b->listener.relay ||
            a->listener.problem != b->listener.problem ||
            a->listener.protocol != b->listener.protocol ||
            a->listener.family != b->listener.family ||
            memcmp(a->listener.address, b->listener.address, 16) != 0 ||
            strcmp(a->owner, b->owner) != 0)
            return false;
    }
    return true;
}

static size_t drop_own_proxies(const LoopbackProxies *proxies, ListeningSocket *sockets,
                               size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (proxies == NULL || !loopback_proxies_own(proxies, sockets[i].inode))
            sockets[kept++] = sockets[i];
    return kept;
}

static void log_overflow(Listeners *listeners, size_t found)
{
    if (found == SOCKETS_MAX && !listeners->overflow_logged)
        log_line("more than %u sockets listen: the rest is not reported", SOCKETS_MAX);
    listeners->overflow_logged = found == SOCKETS_MAX;
}

static void log_rules_overflow(Listeners *listeners)
{
    size_t ports = natports_left_out(listeners->nat);
    size_t chains = natports_chains_left_out(listeners->nat);
    if (ports > 0 && !listeners->rules_overflow_logged)
        log_line("more than %u sockets listen and ports are forwarded by the packet filter: "
                 "%zu of the latter are not reported",
                 SOCKETS_MAX, ports);
    if (chains > 0 && !listeners->chains_overflow_logged)
        log_line("the packet filter has more than %d base chains: the ports that the other %zu "
                 "forward are not reported",
                 NATPORTS_CHAINS_MAX, chains);
    listeners->rules_overflow_logged = ports > 0;
    listeners->chains_overflow_logged = chains > 0;
}

/* Fill @next with up to SOCKETS_MAX sockets. False if the kernel's dump failed. */
static bool fill_snapshot(Listeners *listeners, Snapshot *next)
{
    int found = sockdiag_dump(&listeners->diag, next->sockets, SOCKETS_MAX);
    if (found < 0) {
        log_line("cannot list the listening sockets: %s", strerror(-found));
        return false;
    }
    log_overflow(listeners, (size_t)found);
    next->count = drop_own_proxies(listeners->proxies, next->sockets, (size_t)found);
    if (listeners->nat != NULL) {
        next->count = natports_merge(listeners->nat, next->sockets, next->count, SOCKETS_MAX);
        next->count = sockdiag_sort(next->sockets, next->count);
        log_rules_overflow(listeners);
    }
    next->followed = sockdiag_choose(next->sockets, next->count, WIRE_LISTENERS_MAX);
    return true;
}

static void make_snapshot(Listeners *listeners)
{
    Snapshot *next = &listeners->next;
    if (!fill_snapshot(listeners, next))
        return;
    keep_owners(listeners);
    sockdiag_find_owners(next->sockets, next->followed);
    if (listeners->proxies != NULL)
        loopback_proxies_follow(listeners->proxies, next->sockets, next->followed);

    bool changed = !listeners->known || !same(&listeners->now, next);
    Snapshot old = listeners->now;
    listeners->now = *next;
    *next = old;
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
    make_snapshot(listeners);
    if (listeners->tick_nsec == 0 || listeners->tick_nsec >= LAST_TICK_NSEC) {
        set_sweep(listeners);
        return;
    }
    listeners->tick_nsec *= 4;
    set_timer(listeners, listeners->tick_nsec);
}

/* Schedule a dump after any event. */
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
        loop_close(listeners->loop, source); /* the fast poll takes over */
    tick(listeners);
}

void listeners_free(Listeners *listeners)
{
    if (listeners == NULL)
        return;
    loop_close(listeners->loop, &listeners->trace);
    loop_close(listeners->loop, &listeners->timer);
    loopback_proxies_free(listeners->proxies);
    natports_free(listeners->nat);
    if (listeners->diag.fd >= 0)
        close(listeners->diag.fd);
    free(listeners->now.sockets);
    free(listeners->next.sockets);
    free(listeners);
}

void listeners_sweep(Listeners *listeners)
{
    if (listeners != NULL && listeners->proxies != NULL)
        loopback_proxies_sweep(listeners->proxies);
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
        .proxies = device != NULL ? loopback_proxies_new(loop, device, config) : NULL,
        .changed = changed,
        .data = data,
        .now = {.sockets = calloc(SOCKETS_MAX, sizeof(ListeningSocket))},
        .next = {.sockets = calloc(SOCKETS_MAX, sizeof(ListeningSocket))},
    };
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int problem = netlink_open(&listeners->diag, NETLINK_SOCK_DIAG, 0);
    if (problem < 0 || timer < 0 || listeners->now.sockets == NULL ||
        listeners->next.sockets == NULL) {
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
    set_timer(listeners, 1); /* take the first snapshot at once */
    return listeners;
}

bool listeners_known(const Listeners *listeners)
{
    return listeners->known;
}

static bool is_service(const ListeningSocket *socket, uint8_t protocol, uint16_t port)
{
    return socket->listener.protocol == protocol && socket->listener.port == port;
}

/* Put each service once; equal ones are adjacent. */
static void put_others(const Snapshot *now, WireBuffer *buffer)
{
    uint32_t count = 0;
    size_t i = now->followed;
    uint8_t services[WIRE_OTHERS_MAX][3];
    for (; i < now->count && count < WIRE_OTHERS_MAX; i++) {
        const WireListener *listener = &now->sockets[i].listener;
        if (i > 0 && is_service(&now->sockets[i - 1], listener->protocol, listener->port))
            continue;
        services[count][0] = listener->protocol;
        memcpy(&services[count++][1], &(uint16_t){htole16(listener->port)}, 2);
    }
    wire_put_u32(buffer, count);
    wire_buffer_append(buffer, services, 3 * (size_t)count);
}

void listeners_put(const Listeners *listeners, WireBuffer *buffer)
{
    const Snapshot *now = &listeners->now;
    size_t begin = wire_frame_begin(buffer, WIRE_LISTENERS, 0, 0);
    wire_put_u32(buffer, (uint32_t)now->followed);
    for (size_t i = 0; i < now->followed; i++) {
        WireListener listener = now->sockets[i].listener;
        listener.owner = now->sockets[i].owner;
        wire_put_listener(buffer, &listener);
    }
    put_others(now, buffer);
    wire_frame_end(buffer, begin);
}
