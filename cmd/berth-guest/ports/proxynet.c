/* SPDX-License-Identifier: MIT */
#include "proxynet.h"

#include "netlink/netlink.h"
#include "os/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACE "/proc/self/ns/net"
#define GATEWAY6  2 /* last byte of the IPv6 gateway's address */

#define FIRST_NAME "berth-proxies"

/* Return to the agent's namespace. An agent left in the other would start sessions there. */
static void go_home(const Proxynet *proxynet)
{
    if (setns(proxynet->home, CLONE_NEWNET) < 0)
        abort();
}

/* @address ("fd00::15/64") with @last as its last byte; "" when it does not parse. */
static void neighbour6(const char *address, uint8_t last, const char *suffix, char *to, size_t size)
{
    char plain[INET6_ADDRSTRLEN];
    struct in6_addr bytes;
    to[0] = '\0';
    if (sscanf(address, "%45[0-9a-f:]", plain) != 1 || inet_pton(AF_INET6, plain, &bytes) != 1)
        return;
    bytes.s6_addr[15] = last;
    inet_ntop(AF_INET6, &bytes, plain, sizeof(plain));
    snprintf(to, size, "%s%s", plain, suffix);
}

/* It always has both gateways: clients from outside the host need their answers. */
static Config addresses(const Config *config)
{
    Config own = {.address = PROXYNET_ADDRESS, .mtu = config->mtu};
    snprintf(own.gateway, sizeof(own.gateway), "%s", config->gateway);
    neighbour6(config->address6, PROXYNET_HOST6, "/64", own.address6, sizeof(own.address6));
    neighbour6(config->address6, GATEWAY6, "", own.gateway6, sizeof(own.gateway6));
    return own;
}

/* Create a macvlan of @device in the proxies' namespace. Its name must be free in the agent's
 * namespace, too. */
static int add_device(Netlink *route, const Proxynet *proxynet, unsigned device)
{
    union {
        struct {
            struct nlmsghdr header;
            struct ifinfomsg link;
        };
        char bytes[256];
    } question = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                             .nlmsg_type = RTM_NEWLINK,
                             .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL}};
    struct nlmsghdr *header = &question.header;
    const size_t size = sizeof(question);
    const uint32_t mode = MACVLAN_MODE_PRIVATE;
    netlink_put(header, size, IFLA_IFNAME, FIRST_NAME, sizeof(FIRST_NAME));
    netlink_put(header, size, IFLA_LINK, &device, sizeof(device));
    netlink_put(header, size, IFLA_NET_NS_FD, &proxynet->own, sizeof(proxynet->own));
    size_t info = netlink_nest(header, size, IFLA_LINKINFO);
    netlink_put(header, size, IFLA_INFO_KIND, "macvlan", strlen("macvlan"));
    size_t data = netlink_nest(header, size, IFLA_INFO_DATA);
    netlink_put(header, size, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
    netlink_nest_end(header, data);
    netlink_nest_end(header, info);
    return netlink_request(route, header);
}

/* network_up configures NETWORK_DEVICE, so the macvlan gets that name. */
static int rename_device(void)
{
    struct ifreq names = {.ifr_name = FIRST_NAME, .ifr_newname = NETWORK_DEVICE};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int result = ioctl(fd, SIOCSIFNAME, &names) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static int fill_namespace(Netlink *route, Proxynet *proxynet, const Config *config, unsigned device,
                          const char **ret_what)
{
    *ret_what = NAMESPACE;
    proxynet->own = open(NAMESPACE, O_RDONLY | O_CLOEXEC);
    if (proxynet->own < 0)
        return -errno;
    *ret_what = "macvlan";
    int result = add_device(route, proxynet, device);
    if (result == 0)
        result = rename_device();
    if (result < 0)
        return result;
    const Config own = addresses(config);
    return network_up(&own, ret_what);
}

int proxynet_open(Proxynet *proxynet, const Config *config, unsigned device, const char **ret_what)
{
    Netlink route; /* in the namespace of eth0 */
    *ret_what = NAMESPACE;
    *proxynet = (Proxynet){.home = open(NAMESPACE, O_RDONLY | O_CLOEXEC), .own = -1};
    if (proxynet->home < 0)
        return -errno;
    *ret_what = "netlink";
    int result = netlink_open(&route, NETLINK_ROUTE, 0);
    if (result == 0) {
        *ret_what = "network namespace";
        result = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
        if (result == 0) {
            result = fill_namespace(&route, proxynet, config, device, ret_what);
            go_home(proxynet);
        }
        close(route.fd);
    }
    if (result < 0)
        proxynet_close(proxynet);
    return result;
}

void proxynet_close(Proxynet *proxynet)
{
    if (proxynet->home >= 0)
        close(proxynet->home);
    if (proxynet->own >= 0)
        close(proxynet->own);
    *proxynet = (Proxynet){-1, -1};
}

int proxynet_socket(const Proxynet *proxynet, int family)
{
    if (setns(proxynet->own, CLONE_NEWNET) < 0)
        return -1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int problem = errno;
    go_home(proxynet);
    errno = problem;
    return fd;
}
