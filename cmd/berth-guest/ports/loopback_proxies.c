/* SPDX-License-Identifier: MIT */
#include "loopback_proxies.h"

#include "proxynet.h"
#include "splice.h"

#include "os/log.h"
#include "os/interface.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROXIES_MAX WIRE_LISTENERS_MAX /* one for each service that is followed */
#define SPLICES_MAX 2048u /* connections of all proxies; more wait in the listen backlog */
#define BACKLOG     128

typedef struct {
    LoopbackProxies *proxies;
    Source source;
    uint16_t port;                      /* the service's; 0: unused */
    uint16_t relay;                     /* ours */
    uint32_t inode;                     /* of our socket */
    bool wanted;                        /* by the snapshot that is being followed */
    struct sockaddr_storage targets[2]; /* for clients of IPv4, of IPv6 */
} LoopbackProxy;

struct LoopbackProxies {
    Loop *loop;
    const char *device;
    const Config *config;             /* NULL: proxies are on the device itself */
    unsigned index;                   /* the device's, whatever it may be called later */
    Proxynet proxynet;                /* where proxies are, once there was one */
    LoopbackProxy *list[PROXIES_MAX]; /* the first count */
    size_t count;
    Splice *splices[SPLICES_MAX]; /* the first splice_count */
    size_t splice_count;
    Splice *gone[SPLICES_MAX]; /* ended in this turn of the loop */
    size_t gone_count;
    LoopbackProxy *closed[PROXIES_MAX]; /* in this turn */
    size_t closed_count;
    int logged_errno; /* the errno of the last proxy that could not be opened, until one could */
};

static const uint8_t any[16];
static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
static const uint8_t device_v4[4] = NETWORK_ADDRESS;
static const uint8_t loopback_v6[16] = {[15] = 1};

/* ---- connections ---- */

static void watch_proxies(LoopbackProxies *proxies)
{
    bool room = proxies->splice_count < SPLICES_MAX;
    for (size_t i = 0; i < proxies->count; i++)
        loop_watch(proxies->loop, &proxies->list[i]->source, room ? EPOLLIN : 0);
}

static void on_splice_ended(Splice *splice, void *data)
{
    LoopbackProxies *proxies = data;
    for (size_t i = 0; i < proxies->splice_count; i++) {
        if (proxies->splices[i] != splice)
            continue;
        proxies->splices[i] = proxies->splices[--proxies->splice_count];
        proxies->gone[proxies->gone_count++] = splice;
        break;
    }
    if (proxies->splice_count == SPLICES_MAX - 1)
        watch_proxies(proxies);
}

static void on_client(Source *source, uint32_t events)
{
    LoopbackProxy *proxy = container_of(source, LoopbackProxy, source);
    LoopbackProxies *proxies = proxy->proxies;
    struct sockaddr_in6 peer = {0};
    int client = accept4(source->fd, (struct sockaddr *)&peer, &(socklen_t){sizeof(peer)},
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    bool v6 = peer.sin6_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr);
    Splice *splice =
        splice_new(proxies->loop, client, &proxy->targets[v6], on_splice_ended, proxies);
    if (splice == NULL)
        return;
    proxies->splices[proxies->splice_count++] = splice;
    if (proxies->splice_count == SPLICES_MAX)
        watch_proxies(proxies);
}

/* ---- opening and closing ---- */

static bool ensure_network(LoopbackProxies *proxies)
{
    const char *what;
    if (proxies->proxynet.own >= 0)
        return true;
    int result = proxynet_open(&proxies->proxynet, proxies->config, proxies->index, &what);
    if (result == 0)
        return true;
    if (proxies->logged_errno != -result)
        log_line("no network for the proxies: %s: %s", what, strerror(-result));
    errno = -result;
    return false;
}

static int open_socket(LoopbackProxies *proxies, int family)
{
    if (proxies->config != NULL)
        return ensure_network(proxies) ? proxynet_socket(&proxies->proxynet, family) : -1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, proxies->device, strlen(proxies->device));
    return fd;
}

/* Listen on @port of the proxies' namespace, or on a free port of the device. -1 with errno. */
static int open_listener(LoopbackProxies *proxies, int family, uint16_t port)
{
    int fd = open_socket(proxies, family);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    struct sockaddr_in6 address = {.sin6_family = (sa_family_t)family}; /* IPv4's begins the same */
    address.sin6_port = proxies->config != NULL ? htons(port) : 0;
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

static int open_any_listener(LoopbackProxies *proxies, uint16_t port)
{
    if (proxies->count == PROXIES_MAX) {
        errno = ENOSPC;
        return -1;
    }
    int fd = open_listener(proxies, AF_INET6, port);
    return fd < 0 && errno == EAFNOSUPPORT ? open_listener(proxies, AF_INET, port) : fd;
}

/* Log a problem once, not for each service at each dump. */
static void log_failure(LoopbackProxies *proxies, uint16_t port, int problem)
{
    if (proxies->logged_errno != problem)
        log_line("port %u has no proxy: %s", port, strerror(problem));
    proxies->logged_errno = problem;
}

/* NULL with errno. */
static LoopbackProxy *open_proxy(LoopbackProxies *proxies, uint16_t port)
{
    int fd = open_any_listener(proxies, port);
    LoopbackProxy *proxy = fd >= 0 ? calloc(1, sizeof(*proxy)) : NULL;
    if (proxy == NULL) {
        int problem = errno;
        if (fd >= 0)
            close(fd);
        log_failure(proxies, port, problem);
        errno = problem;
        return NULL;
    }
    struct sockaddr_in6 address = {0}; /* the port is where IPv4 has it */
    struct stat st;
    getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof(address)});
    proxy->proxies = proxies;
    proxy->port = port;
    proxy->relay = ntohs(address.sin6_port);
    proxy->inode = fstat(fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
    loop_add(proxies->loop, &proxy->source, fd, EPOLLIN, on_client);
    proxies->list[proxies->count++] = proxy;
    proxies->logged_errno = 0;
    return proxy;
}

static LoopbackProxy *find_proxy(const LoopbackProxies *proxies, uint16_t port)
{
    for (size_t i = 0; i < proxies->count; i++)
        if (proxies->list[i]->port == port)
            return proxies->list[i];
    return NULL;
}

static void close_unwanted(LoopbackProxies *proxies)
{
    size_t kept = 0;
    for (size_t i = 0; i < proxies->count; i++) {
        LoopbackProxy *proxy = proxies->list[i];
        if (proxy->wanted) {
            proxies->list[kept++] = proxy;
            continue;
        }
        loop_close(proxies->loop, &proxy->source);
        proxies->closed[proxies->closed_count++] = proxy;
    }
    proxies->count = kept;
}

void loopback_proxies_sweep(LoopbackProxies *proxies)
{
    while (proxies->gone_count > 0)
        splice_free(proxies->gone[--proxies->gone_count]);
    while (proxies->closed_count > 0)
        free(proxies->closed[--proxies->closed_count]);
}

/* ---- which services need a proxy ---- */

static void set_target(struct sockaddr_storage *target, const WireListener *listener)
{
    bool is_any = memcmp(listener->address, any, sizeof(any)) == 0;
    *target = (struct sockaddr_storage){0};
    if (listener->family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)target;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(listener->port);
        memcpy(&v4->sin_addr, is_any ? loopback_v4 : listener->address, 4);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)target;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(listener->port);
        memcpy(&v6->sin6_addr, is_any ? loopback_v6 : listener->address, 16);
    }
}

typedef struct {
    const WireListener *open[2];  /* on all addresses or the device's, by family */
    const WireListener *local[2]; /* on the loopback */
} Service;

/* Collect the leading @sockets of one port. Returns their number. */
static size_t collect(const ListeningSocket *sockets, size_t count, Service *ret_service)
{
    *ret_service = (Service){0};
    size_t i = 0;
    for (; i < count && sockets[i].listener.port == sockets[0].listener.port; i++) {
        const WireListener *listener = &sockets[i].listener;
        bool v6 = listener->family == 6;
        if (listener->protocol != IPPROTO_TCP)
            continue;
        if (!v6 && memcmp(listener->address, device_v4, 4) == 0)
            ret_service->open[v6] = listener; /* where one is on all, too: the filter comes first */
        else if (memcmp(listener->address, any, sizeof(any)) == 0) {
            if (ret_service->open[v6] == NULL)
                ret_service->open[v6] = listener;
        } else if (v6 ? memcmp(listener->address, loopback_v6, 16) == 0
                      : memcmp(listener->address, loopback_v4, 4) == 0)
            ret_service->local[v6] = listener;
    }
    return i;
}

static bool needs_proxy(const Service *service)
{
    bool reached = service->open[0] != NULL && service->open[1] != NULL;
    bool there = service->open[0] != NULL || service->open[1] != NULL ||
                 service->local[0] != NULL || service->local[1] != NULL;
    return there && !reached;
}

static void set_targets(LoopbackProxy *proxy, const Service *service)
{
    const WireListener *best[2];
    for (size_t v6 = 0; v6 < 2; v6++)
        best[v6] = service->open[v6] != NULL ? service->open[v6] : service->local[v6];
    for (size_t v6 = 0; v6 < 2; v6++)
        set_target(&proxy->targets[v6], best[v6] != NULL ? best[v6] : best[1 - v6]);
}

static void mark_wanted(LoopbackProxies *proxies, const ListeningSocket *sockets, size_t count)
{
    for (size_t i = 0; i < proxies->count; i++)
        proxies->list[i]->wanted = false;
    for (size_t i = 0; i < count;) {
        Service service;
        LoopbackProxy *proxy = find_proxy(proxies, sockets[i].listener.port);
        i += collect(sockets + i, count - i, &service);
        if (proxy != NULL)
            proxy->wanted = needs_proxy(&service);
    }
}

/* Find or open the proxy of @service and set its targets. NULL with errno. */
static LoopbackProxy *get_proxy(LoopbackProxies *proxies, const Service *service, uint16_t port)
{
    LoopbackProxy *proxy = find_proxy(proxies, port);
    if (proxy == NULL)
        proxy = open_proxy(proxies, port);
    if (proxy != NULL)
        set_targets(proxy, service);
    return proxy;
}

void loopback_proxies_follow(LoopbackProxies *proxies, ListeningSocket *sockets, size_t count)
{
    mark_wanted(proxies, sockets, count);
    close_unwanted(proxies); /* first, so that there is room for others */
    for (size_t i = 0; i < count;) {
        Service service;
        uint16_t port = sockets[i].listener.port;
        size_t end = i + collect(sockets + i, count - i, &service);
        const LoopbackProxy *proxy = NULL;
        int problem = 0;
        if (needs_proxy(&service)) {
            proxy = get_proxy(proxies, &service, port);
            problem = proxy == NULL ? errno : 0;
        }
        for (; i < end; i++) {
            if (sockets[i].listener.protocol != IPPROTO_TCP)
                continue;
            sockets[i].listener.relay = proxy != NULL ? proxy->relay : 0;
            sockets[i].listener.problem = (uint16_t)problem;
        }
    }
}

bool loopback_proxies_own(const LoopbackProxies *proxies, uint32_t inode)
{
    for (size_t i = 0; i < proxies->count && proxies->config == NULL; i++)
        if (proxies->list[i]->inode == inode)
            return true;
    return false;
}

LoopbackProxies *loopback_proxies_new(Loop *loop, const char *device, const Config *config)
{
    LoopbackProxies *proxies = calloc(1, sizeof(*proxies));
    if (proxies == NULL)
        return NULL;
    proxies->loop = loop;
    proxies->device = device;
    proxies->config = config;
    proxies->index = if_nametoindex(device);
    proxies->proxynet = (Proxynet){-1, -1};
    return proxies;
}

void loopback_proxies_free(LoopbackProxies *proxies)
{
    if (proxies == NULL)
        return;
    while (proxies->splice_count > 0)
        splice_free(proxies->splices[--proxies->splice_count]);
    for (size_t i = 0; i < proxies->count; i++)
        proxies->list[i]->wanted = false;
    loopback_proxies_sweep(proxies);
    close_unwanted(proxies);
    loopback_proxies_sweep(proxies);
    proxynet_close(&proxies->proxynet);
    free(proxies);
}
