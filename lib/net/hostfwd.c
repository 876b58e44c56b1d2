/* SPDX-License-Identifier: MIT */
#include "hostfwd.h"

#include "base/fd.h"
#include "model/forward.h"
#include "owner.h"

#include <errno.h>
#include <libslirp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BACKLOG 128

typedef struct {
    BerthStackRule rule;
    int fd; /* libslirp's socket */
} Forward;

struct BerthHostfwd {
    Slirp *slirp;
    int diag_fd;      /* -1: everybody may connect */
    uid_t uid;        /* our own */
    GArray *forwards; /* Forward */
    GHashTable *fds;  /* set of the TCP listeners */
};

BerthHostfwd *berth_hostfwd_new(Slirp *slirp, int diag_fd)
{
    BerthHostfwd *listeners = g_new0(BerthHostfwd, 1);
    listeners->slirp = slirp;
    listeners->diag_fd = diag_fd;
    listeners->uid = getuid();
    listeners->forwards = g_array_new(FALSE, FALSE, sizeof(Forward));
    listeners->fds = g_hash_table_new(NULL, NULL);
    return listeners;
}

void berth_hostfwd_free(BerthHostfwd *listeners)
{
    if (listeners == NULL)
        return;
    g_array_unref(listeners->forwards);
    g_hash_table_unref(listeners->fds);
    g_free(listeners);
}

bool berth_hostfwd_is_listener(const BerthHostfwd *listeners, int fd)
{
    return g_hash_table_contains(listeners->fds, GINT_TO_POINTER(fd));
}

guint berth_hostfwd_count(const BerthHostfwd *listeners)
{
    return listeners->forwards->len;
}

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
} Address;

/* Returns the length of the address, 0 when @endpoint is invalid. */
static socklen_t to_address(const BerthEndpoint *endpoint, Address *ret_address)
{
    *ret_address = (Address){0};
    if (endpoint->port == 0)
        return 0;
    if (endpoint->family == 4) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(endpoint->port);
        memcpy(&ret_address->v4.sin_addr, endpoint->address, 4);
        return sizeof(ret_address->v4);
    }
    if (endpoint->family == 6) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(endpoint->port);
        memcpy(&ret_address->v6.sin6_addr, endpoint->address, 16);
        return sizeof(ret_address->v6);
    }
    return 0;
}

static int rule_flags(const BerthStackRule *rule)
{
    return (rule->protocol == BERTH_UDP ? SLIRP_HOSTFWD_UDP : 0) |
           (rule->host.family == 6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

static bool rule_is_sound(const BerthStackRule *rule)
{
    static const guint8 any[16];
    return (rule->protocol == BERTH_TCP || rule->protocol == BERTH_UDP) &&
           rule->host.family == rule->guest.family && /* libslirp does not translate between
                                                       * families */
           memcmp(rule->guest.address, any, sizeof(any)) != 0;
}

guint berth_hostfwd_fd_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1024 : (guint)MIN(limit.rlim_cur, 65536);
}

/* The type of @fd if it is a datagram or a listening socket; else 0. */
static int type_of(int fd)
{
    int type = 0, listening = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(int)}) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &(socklen_t){sizeof(int)}) < 0)
        return 0;
    return type == SOCK_DGRAM || listening ? type : 0;
}

static bool is_bound_to(int fd, const Address *address, socklen_t size)
{
    Address bound;
    socklen_t bound_size = sizeof(bound);
    return getsockname(fd, &bound.any, &bound_size) == 0 && bound_size == size &&
           memcmp(&bound, address, size) == 0;
}

/* libslirp does not return the descriptor it opened, so search for it. */
static int find_socket(int type, const Address *address, socklen_t size)
{
    int limit = (int)berth_hostfwd_fd_limit();
    for (int fd = 0; fd < limit; fd++)
        if (type_of(fd) == type && is_bound_to(fd, address, size))
            return fd;
    return -1;
}

/* Also makes the listener non-blocking, in case a client leaves before accept. */
static bool raise_backlog(int fd)
{
    return listen(fd, BACKLOG) == 0 && berth_fd_set_nonblocking(fd, true) == 0;
}

static guint find_rule(const BerthHostfwd *listeners, const BerthStackRule *rule)
{
    guint i = 0;
    for (; i < listeners->forwards->len; i++) {
        const BerthStackRule *other = &g_array_index(listeners->forwards, Forward, i).rule;
        if (other->protocol == rule->protocol &&
            memcmp(&other->host, &rule->host, sizeof(rule->host)) == 0)
            break;
    }
    return i;
}

int berth_hostfwd_add(BerthHostfwd *listeners, const BerthStackRule *rule)
{
    Address host, guest;
    socklen_t host_size = to_address(&rule->host, &host);
    socklen_t guest_size = to_address(&rule->guest, &guest);
    if (host_size == 0 || guest_size == 0 || !rule_is_sound(rule))
        return EINVAL;
    if (listeners->diag_fd >= 0 && rule->protocol == BERTH_UDP)
        return EPERM; /* the sender of a datagram cannot be identified */
    if (slirp_add_hostxfwd(listeners->slirp, &host.any, host_size, &guest.any, guest_size,
                           rule_flags(rule)) < 0)
        return errno != 0 ? errno : EIO;

    bool tcp = rule->protocol == BERTH_TCP;
    Forward forward = {.rule = *rule,
                       .fd = find_socket(tcp ? SOCK_STREAM : SOCK_DGRAM, &host, host_size)};
    if (forward.fd < 0 || (tcp && !raise_backlog(forward.fd))) {
        slirp_remove_hostxfwd(listeners->slirp, &host.any, host_size, rule_flags(rule));
        return EIO;
    }
    if (tcp)
        g_hash_table_add(listeners->fds, GINT_TO_POINTER(forward.fd));
    g_array_append_val(listeners->forwards, forward);
    return 0;
}

int berth_hostfwd_remove(BerthHostfwd *listeners, const BerthStackRule *rule)
{
    guint index = find_rule(listeners, rule);
    if (index == listeners->forwards->len)
        return ENOENT;

    int fd = g_array_index(listeners->forwards, Forward, index).fd;
    g_hash_table_remove(listeners->fds, GINT_TO_POINTER(fd));
    g_array_remove_index_fast(listeners->forwards, index);
    Address host;
    socklen_t size = to_address(&rule->host, &host);
    return slirp_remove_hostxfwd(listeners->slirp, &host.any, size, rule_flags(rule)) < 0 ? ENOENT
                                                                                          : 0;
}

/* --- who connects --- */

bool berth_hostfwd_must_check(const BerthHostfwd *listeners)
{
    return listeners->diag_fd >= 0;
}

int berth_hostfwd_next_fd(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd;
}

static bool is_loopback(const Address *address)
{
    return address->any.sa_family == AF_INET
               ? ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
               : IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

/* Whether the peer of @fd may connect. A peer outside this host is no other local user: it can only
 * come through a listener deliberately opened to the network. */
static bool is_welcome(const BerthHostfwd *listeners, int fd, const Address *local)
{
    uid_t uid;
    switch (berth_owner_find(listeners->diag_fd, fd, &uid)) {
    case BERTH_OWNER_FOUND:
        return uid == 0 || uid == listeners->uid;
    case BERTH_OWNER_ELSEWHERE:
        return !is_loopback(local);
    default:
        return false;
    }
}

/* Reset the connection but leave the descriptor to libslirp, which closes it once
 * it finds no peer. */
static void reset(int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    connect(fd, &nobody, sizeof(nobody));
}

void berth_hostfwd_admit(BerthHostfwd *listeners, int listener_fd, int fd)
{
    Address listening = {0}, local = {0};
    socklen_t size = sizeof(listening), local_size = sizeof(local);
    if (fd < 0 || getsockname(fd, &local.any, &local_size) < 0 ||
        getsockname(listener_fd, &listening.any, &size) < 0 ||
        local.any.sa_family != listening.any.sa_family ||
        local.v4.sin_port != listening.v4.sin_port) /* same offset in both families */
        return;                                     /* nothing was accepted */
    if (!is_welcome(listeners, fd, &local))
        reset(fd);
}

static bool is_any(const Address *address)
{
    return address->any.sa_family == AF_INET ? address->v4.sin_addr.s_addr == INADDR_ANY
                                             : IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

/* Whether a connection with local address @local was accepted by the listener @host. */
static bool was_accepted_by(const Address *host, const Address *local)
{
    if (host->any.sa_family != local->any.sa_family || host->v4.sin_port != local->v4.sin_port)
        return false;
    return is_any(host) || (host->any.sa_family == AF_INET
                                ? host->v4.sin_addr.s_addr == local->v4.sin_addr.s_addr
                                : IN6_ARE_ADDR_EQUAL(&host->v6.sin6_addr, &local->v6.sin6_addr));
}

/* The guest's port that @local, an address of the host, forwards to; 0 when there is no such
 * forward. */
static guint16 guest_port(const BerthHostfwd *listeners, const Address *local)
{
    for (guint i = 0; i < listeners->forwards->len; i++) {
        const BerthStackRule *rule = &g_array_index(listeners->forwards, Forward, i).rule;
        Address host;
        if (rule->protocol == BERTH_TCP && to_address(&rule->host, &host) != 0 &&
            was_accepted_by(&host, local))
            return rule->guest.port;
    }
    return 0;
}

bool berth_hostfwd_reset(BerthHostfwd *listeners, int fd, const BerthPacket *packet)
{
    Address local = {0}, peer = {0};
    socklen_t local_size = sizeof(local), peer_size = sizeof(peer);
    int family = packet->family == 4 ? AF_INET : AF_INET6;
    if (getpeername(fd, &peer.any, &peer_size) < 0 || peer.any.sa_family != family ||
        ntohs(peer.v4.sin_port) != berth_bytes_get_u16(packet->payload + 2) || /* libslirp keeps the
                                                                                * client's port */
        getsockname(fd, &local.any, &local_size) < 0 ||
        guest_port(listeners, &local) != berth_bytes_get_u16(packet->payload))
        return false;
    reset(fd);
    return true;
}
