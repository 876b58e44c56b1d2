/* SPDX-License-Identifier: MIT */
#include "loopback_proxies.h"

#include "proxynet.h"
#include "splice.h"

#include "os/interface.h"
#include "os/log.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOORS_MAX WIRE_LISTENERS_MAX /* as many as there can be services that need one */
#define PUMPS_MAX 2048u /* connections through all doors; further ones wait in the backlog */
#define BACKLOG   128

typedef struct {
    Doors *doors;
    Source source;
    uint16_t port;                      /* the service's; 0: unused */
    uint16_t relay;                     /* ours */
    uint32_t inode;                     /* of our socket */
    bool wanted;                        /* by the snapshot that is being followed */
    struct sockaddr_storage targets[2]; /* for clients of IPv4, of IPv6 */
} Door;

struct Doors {
    Loop *loop;
    const char *device;
    const Config *config;   /* NULL: doors are on the device itself */
    unsigned index;         /* the device's, whatever it may be called later */
    Proxynet proxynet;      /* where doors are, once there was one */
    Door *doors[DOORS_MAX]; /* the first count */
    size_t count;
    Pump *pumps[PUMPS_MAX]; /* the first pump_count */
    size_t pump_count;
    Pump *gone[PUMPS_MAX]; /* ended in this turn of the loop */
    size_t gone_count;
    Door *closed[DOORS_MAX]; /* in this turn */
    size_t closed_count;
    int told; /* the errno of the last door that could not be opened, until one could */
};

static const uint8_t any[16];
static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
static const uint8_t device_v4[4] = NETWORK_ADDRESS;
static const uint8_t loopback_v6[16] = {[15] = 1};

/* ---- connections ---- */

static void watch_doors(Doors *doors)
{
    bool room = doors->pump_count < PUMPS_MAX;
    for (size_t i = 0; i < doors->count; i++)
        loop_watch(doors->loop, &doors->doors[i]->source, room ? EPOLLIN : 0);
}

static void on_ended(Pump *pump, void *data)
{
    Doors *doors = data;
    for (size_t i = 0; i < doors->pump_count; i++) {
        if (doors->pumps[i] != pump)
            continue;
        doors->pumps[i] = doors->pumps[--doors->pump_count];
        doors->gone[doors->gone_count++] = pump;
        break;
    }
    if (doors->pump_count == PUMPS_MAX - 1)
        watch_doors(doors);
}

static void on_client(Source *source, uint32_t events)
{
    Door *door = container_of(source, Door, source);
    Doors *doors = door->doors;
    struct sockaddr_in6 peer = {0};
    int client = accept4(source->fd, (struct sockaddr *)&peer, &(socklen_t){sizeof(peer)},
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    bool v6 = peer.sin6_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr);
    Pump *pump = pump_new(doors->loop, client, &door->targets[v6], on_ended, doors);
    if (pump == NULL)
        return;
    doors->pumps[doors->pump_count++] = pump;
    if (doors->pump_count == PUMPS_MAX)
        watch_doors(doors);
}

/* ---- opening and closing ---- */

static bool has_network(Doors *doors)
{
    const char *what;
    if (doors->proxynet.own >= 0)
        return true;
    int result = proxynet_open(&doors->proxynet, doors->config, doors->index, &what);
    if (result == 0)
        return true;
    if (doors->told != -result)
        log_line("no network for the proxies: %s: %s", what, strerror(-result));
    errno = -result;
    return false;
}

static int open_socket(Doors *doors, int family)
{
    if (doors->config != NULL)
        return has_network(doors) ? proxynet_socket(&doors->proxynet, family) : -1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, doors->device, strlen(doors->device));
    return fd;
}

/* On all addresses of a network of its own, at @port; or of the device, at one that is free. */
static int open_listener(Doors *doors, int family, uint16_t port)
{
    int fd = open_socket(doors, family);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    struct sockaddr_in6 address = {.sin6_family = (sa_family_t)family}; /* IPv4's begins the same */
    address.sin6_port = doors->config != NULL ? htons(port) : 0;
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

static int open_any_listener(Doors *doors, uint16_t port)
{
    if (doors->count == DOORS_MAX) {
        errno = ENOSPC;
        return -1;
    }
    int fd = open_listener(doors, AF_INET6, port);
    return fd < 0 && errno == EAFNOSUPPORT ? open_listener(doors, AF_INET, port) : fd;
}

/* Say it once, not for each service and at each look. */
static void tell(Doors *doors, uint16_t port, int problem)
{
    if (doors->told != problem)
        log_line("port %u has no proxy: %s", port, strerror(problem));
    doors->told = problem;
}

/* NULL with errno. */
static Door *open_door(Doors *doors, uint16_t port)
{
    int fd = open_any_listener(doors, port);
    Door *door = fd >= 0 ? calloc(1, sizeof(*door)) : NULL;
    if (door == NULL) {
        int problem = errno;
        if (fd >= 0)
            close(fd);
        tell(doors, port, problem);
        errno = problem;
        return NULL;
    }
    struct sockaddr_in6 address = {0}; /* the port is where IPv4 has it */
    struct stat st;
    getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof(address)});
    door->doors = doors;
    door->port = port;
    door->relay = ntohs(address.sin6_port);
    door->inode = fstat(fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
    loop_add(doors->loop, &door->source, fd, EPOLLIN, on_client);
    doors->doors[doors->count++] = door;
    doors->told = 0;
    return door;
}

static Door *find_door(const Doors *doors, uint16_t port)
{
    for (size_t i = 0; i < doors->count; i++)
        if (doors->doors[i]->port == port)
            return doors->doors[i];
    return NULL;
}

static void close_unwanted(Doors *doors)
{
    size_t kept = 0;
    for (size_t i = 0; i < doors->count; i++) {
        Door *door = doors->doors[i];
        if (door->wanted) {
            doors->doors[kept++] = door;
            continue;
        }
        loop_close(doors->loop, &door->source);
        doors->closed[doors->closed_count++] = door;
    }
    doors->count = kept;
}

void doors_sweep(Doors *doors)
{
    while (doors->gone_count > 0)
        pump_free(doors->gone[--doors->gone_count]);
    while (doors->closed_count > 0)
        free(doors->closed[--doors->closed_count]);
}

/* ---- who needs one ---- */

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

/* What listens on the port of sockets[0]; returns how many of them there are. */
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

/* Whether the service needs a door. */
static bool needs_door(const Service *service)
{
    bool reached = service->open[0] != NULL && service->open[1] != NULL;
    bool there = service->open[0] != NULL || service->open[1] != NULL ||
                 service->local[0] != NULL || service->local[1] != NULL;
    return there && !reached;
}

static void set_targets(Door *door, const Service *service)
{
    const WireListener *best[2];
    for (size_t v6 = 0; v6 < 2; v6++)
        best[v6] = service->open[v6] != NULL ? service->open[v6] : service->local[v6];
    for (size_t v6 = 0; v6 < 2; v6++)
        set_target(&door->targets[v6], best[v6] != NULL ? best[v6] : best[1 - v6]);
}

static void mark_wanted(Doors *doors, const ListeningSocket *sockets, size_t count)
{
    for (size_t i = 0; i < doors->count; i++)
        doors->doors[i]->wanted = false;
    for (size_t i = 0; i < count;) {
        Service service;
        Door *door = find_door(doors, sockets[i].listener.port);
        i += collect(sockets + i, count - i, &service);
        if (door != NULL)
            door->wanted = needs_door(&service);
    }
}

/* The door of a service that needs one; NULL with errno. */
static Door *get_door(Doors *doors, const Service *service, uint16_t port)
{
    Door *door = find_door(doors, port);
    if (door == NULL)
        door = open_door(doors, port);
    if (door != NULL)
        set_targets(door, service);
    return door;
}

void doors_follow(Doors *doors, ListeningSocket *sockets, size_t count)
{
    mark_wanted(doors, sockets, count);
    close_unwanted(doors); /* first, so that there is room for others */
    for (size_t i = 0; i < count;) {
        Service service;
        uint16_t port = sockets[i].listener.port;
        size_t end = i + collect(sockets + i, count - i, &service);
        const Door *door = NULL;
        int problem = 0;
        if (needs_door(&service)) {
            door = get_door(doors, &service, port);
            problem = door == NULL ? errno : 0;
        }
        for (; i < end; i++) {
            if (sockets[i].listener.protocol != IPPROTO_TCP)
                continue;
            sockets[i].listener.relay = door != NULL ? door->relay : 0;
            sockets[i].listener.problem = (uint16_t)problem;
        }
    }
}

bool doors_own(const Doors *doors, uint32_t inode)
{
    for (size_t i = 0; i < doors->count && doors->config == NULL; i++)
        if (doors->doors[i]->inode == inode)
            return true;
    return false;
}

Doors *doors_new(Loop *loop, const char *device, const Config *config)
{
    Doors *doors = calloc(1, sizeof(*doors));
    if (doors == NULL)
        return NULL;
    doors->loop = loop;
    doors->device = device;
    doors->config = config;
    doors->index = if_nametoindex(device);
    doors->proxynet = (Proxynet){-1, -1};
    return doors;
}

void doors_free(Doors *doors)
{
    if (doors == NULL)
        return;
    while (doors->pump_count > 0)
        pump_free(doors->pumps[--doors->pump_count]);
    for (size_t i = 0; i < doors->count; i++)
        doors->doors[i]->wanted = false;
    doors_sweep(doors);
    close_unwanted(doors);
    doors_sweep(doors);
    proxynet_close(&doors->proxynet);
    free(doors);
}
