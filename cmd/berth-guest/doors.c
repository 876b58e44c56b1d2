/* SPDX-License-Identifier: MIT */
#include "doors.h"

#include "log.h"
#include "network.h"
#include "proxynet.h"
#include "pump.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOORS_MAX 512u
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

static Door *open_door(Doors *doors, uint16_t port)
{
    Door *door = doors->count < DOORS_MAX ? calloc(1, sizeof(*door)) : NULL;
    int fd = door != NULL ? open_listener(doors, AF_INET6, port) : -1;
    if (fd < 0 && errno == EAFNOSUPPORT)
        fd = open_listener(doors, AF_INET, port);
    if (fd < 0) {
        log_line("port %u cannot be handed on: %s", port, strerror(errno));
        free(door);
        return NULL;
    }
    struct sockaddr_in6 address; /* the port is where IPv4 has it */
    struct stat st;
    getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof(address)});
    door->doors = doors;
    door->port = port;
    door->relay = ntohs(address.sin6_port);
    door->inode = fstat(fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
    loop_add(doors->loop, &door->source, fd, EPOLLIN, on_client);
    doors->doors[doors->count++] = door;
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

/* The relay's number, or 0 where none is needed or possible. */
static uint16_t follow_service(Doors *doors, const Service *service, uint16_t port)
{
    const WireListener *best[2];
    for (size_t v6 = 0; v6 < 2; v6++)
        best[v6] = service->open[v6] != NULL ? service->open[v6] : service->local[v6];
    bool reached = service->open[0] != NULL && service->open[1] != NULL;
    if (reached || (best[0] == NULL && best[1] == NULL))
        return 0;

    Door *door = find_door(doors, port);
    if (door == NULL)
        door = open_door(doors, port);
    if (door == NULL)
        return 0;
    door->wanted = true;
    for (size_t v6 = 0; v6 < 2; v6++)
        set_target(&door->targets[v6], best[v6] != NULL ? best[v6] : best[1 - v6]);
    return door->relay;
}

void doors_follow(Doors *doors, ListeningSocket *sockets, size_t count)
{
    for (size_t i = 0; i < doors->count; i++)
        doors->doors[i]->wanted = false;
    for (size_t i = 0; i < count;) {
        Service service;
        size_t same = collect(sockets + i, count - i, &service);
        uint16_t relay = follow_service(doors, &service, sockets[i].listener.port);
        for (size_t end = i + same; i < end; i++)
            if (sockets[i].listener.protocol == IPPROTO_TCP)
                sockets[i].listener.relay = relay;
    }
    close_unwanted(doors);
}

bool doors_own(const Doors *doors, uint32_t inode)
{
    for (size_t i = 0; i < doors->count; i++)
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
