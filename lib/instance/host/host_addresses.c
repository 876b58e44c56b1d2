/* SPDX-License-Identifier: MIT */
#include "host_addresses.h"

#include "base/error.h"
#include "base/fd.h"
#include "netlink/netlink.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

struct BerthHostAddresses {
    int fd;
    GSource *source;
    void (*changed)(gpointer user_data);
    gpointer user_data;
};

static bool is_own(guint8 type)
{
    return type == RTN_LOCAL || type == RTN_ANYCAST || type == RTN_BROADCAST;
}

/* Loopback and link-local addresses: the frame filter drops everything to them. */
static bool is_out_of_reach(guint8 family, const guint8 *address)
{
    static const guint8 loopback[16] = {[15] = 1};
    if (family == AF_INET)
        return address[0] == 127;
    return memcmp(address, loopback, sizeof(loopback)) == 0 ||
           (address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

static void put_route(BerthAccess *access, const struct rtmsg *route, size_t size)
{
    bool known = route->rtm_family == AF_INET || route->rtm_family == AF_INET6;
    bool here = route->rtm_table == RT_TABLE_LOCAL || route->rtm_table == RT_TABLE_MAIN;
    if (!known || !here || !is_own(route->rtm_type))
        return;
    const struct rtattr *attribute = RTM_RTA(route);
    size_t address_size = route->rtm_family == AF_INET ? 4 : 16;
    for (int left = (int)size; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
        if (attribute->rta_type != RTA_DST || RTA_PAYLOAD(attribute) < address_size)
            continue;
        const guint8 *address = RTA_DATA(attribute);
        if (!is_out_of_reach(route->rtm_family, address))
            berth_access_add_own(access, route->rtm_family == AF_INET ? 4 : 6, address,
                                 route->rtm_dst_len);
    }
}

/* State of the dump of one family: the routes, and @access's counts before them for a retry. */
typedef struct {
    BerthAccess *access;
    guint n_own;
    guint8 incomplete;
} Dump;

static void begin(void *data)
{
    Dump *dump = data;
    dump->access->n_own = dump->n_own;
    dump->access->own_incomplete = dump->incomplete;
}

static void on_message(void *data, const struct nlmsghdr *header)
{
    Dump *dump = data;
    if (header->nlmsg_type == RTM_NEWROUTE &&
        header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg)))
        put_route(dump->access, NLMSG_DATA(header),
                  header->nlmsg_len - NLMSG_LENGTH(sizeof(struct rtmsg)));
}

static bool dump(BerthAccess *access, Netlink *netlink, guint8 family)
{
    static const NetlinkDump reader = {begin, on_message};
    struct {
        struct nlmsghdr head;
        struct rtmsg route;
    } request = {.head = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETROUTE},
                 .route = {.rtm_family = family}};
    Dump data = {access, access->n_own, access->own_incomplete};
    return netlink_dump(netlink, &request.head, &reader, &data) == 0;
}

bool berth_host_addresses_put(BerthAccess *access)
{
    Netlink netlink;
    int opened = netlink_open(&netlink, NETLINK_ROUTE, 0);
    berth_autofd int fd = netlink.fd;
    bool ok = opened == 0 && dump(access, &netlink, AF_INET) && dump(access, &netlink, AF_INET6);
    if (!ok)
        access->own_incomplete = 1;
    return ok;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Filter the socket to routes of those types: a router may change others all day. */
static bool listen_for_changes(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTN_LOCAL, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTN_ANYCAST, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTN_BROADCAST, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, G_MAXUINT32),
    };
    const struct sock_fprog program = {.len = G_N_ELEMENTS(code), .filter = code};
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                        .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
           bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

/* The dump is repeated, so that lost messages do not matter. */
static gboolean on_change(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostAddresses *addresses = user_data;
    netlink_drain(fd);
    addresses->changed(addresses->user_data);
    return G_SOURCE_CONTINUE;
}

BerthHostAddresses *berth_host_addresses_new(void (*changed)(gpointer user_data),
                                             gpointer user_data, GError **error)
{
    berth_autofd int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0 || !listen_for_changes(fd)) {
        berth_error_set_errno(error, errno, "instance.addresses", "watch the host's addresses");
        return NULL;
    }
    BerthHostAddresses *addresses = g_new0(BerthHostAddresses, 1);
    addresses->changed = changed;
    addresses->user_data = user_data;
    addresses->fd = berth_fd_steal(&fd);
    addresses->source = g_unix_fd_source_new(addresses->fd, G_IO_IN);
    g_source_set_callback(addresses->source, G_SOURCE_FUNC(on_change), addresses, NULL);
    g_source_attach(addresses->source, g_main_context_get_thread_default());
    return addresses;
}

void berth_host_addresses_free(BerthHostAddresses *addresses)
{
    if (addresses == NULL)
        return;
    g_source_destroy(addresses->source);
    g_source_unref(addresses->source);
    berth_fd_close(&addresses->fd);
    g_free(addresses);
}
