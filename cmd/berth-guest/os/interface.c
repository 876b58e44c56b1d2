/* SPDX-License-Identifier: MIT */
#include "interface.h"

#include "file.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE NETWORK_DEVICE

static struct sockaddr ip(struct in_addr address)
{
    struct sockaddr_in internet = {.sin_family = AF_INET, .sin_addr = address};
    struct sockaddr result;
    memcpy(&result, &internet, sizeof(result));
    return result;
}

/* "10.0.2.15/24". */
static bool parse_address(const char *text, struct in_addr *ret_address, struct in_addr *ret_mask)
{
    char plain[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof(plain))
        return false;
    memcpy(plain, text, (size_t)(slash - text));
    plain[slash - text] = '\0';

    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || end == slash + 1 || bits < 1 || bits > 32)
        return false;
    ret_mask->s_addr = htonl(~0u << (32 - bits));
    return inet_pton(AF_INET, plain, ret_address) == 1;
}

static struct ifreq request(const char *device)
{
    struct ifreq request = {0};
    strncpy(request.ifr_name, device, IFNAMSIZ - 1);
    return request;
}

static int bring_up(int fd, const char *device)
{
    struct ifreq link = request(device);
    if (ioctl(fd, SIOCGIFFLAGS, &link) < 0)
        return -errno;
    link.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &link) < 0 ? -errno : 0;
}

static int set_address(int fd, const char *text)
{
    struct in_addr address;
    struct in_addr mask;
    if (!parse_address(text, &address, &mask))
        return -EINVAL;

    struct ifreq link = request(DEVICE);
    link.ifr_addr = ip(address);
    if (ioctl(fd, SIOCSIFADDR, &link) < 0)
        return -errno;
    link.ifr_netmask = ip(mask);
    return ioctl(fd, SIOCSIFNETMASK, &link) < 0 ? -errno : 0;
}

static int set_mtu(int fd, uint32_t mtu)
{
    struct ifreq link = request(DEVICE);
    link.ifr_mtu = (int)mtu;
    return mtu != 0 && ioctl(fd, SIOCSIFMTU, &link) < 0 ? -errno : 0;
}

static int set_gateway(int fd, const char *text)
{
    struct in_addr gateway;
    struct in_addr any = {0};
    if (text[0] == '\0')
        return 0;
    if (inet_pton(AF_INET, text, &gateway) != 1)
        return -EINVAL;

    struct rtentry route = {.rt_dst = ip(any),
                            .rt_genmask = ip(any),
                            .rt_gateway = ip(gateway),
                            .rt_flags = RTF_UP | RTF_GATEWAY};
    return ioctl(fd, SIOCADDRT, &route) < 0 ? -errno : 0;
}

/* ---- IPv6 ---- */

/* Disable autoconfiguration and DAD: the host configures all, and delays are pointless. */
static void quiet_ipv6(void)
{
    static const char *const settings[][2] = {
        {"accept_ra", "0"}, {"autoconf", "0"}, {"accept_dad", "0"}, {"dad_transmits", "0"}};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        char path[80];
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/" DEVICE "/%s", settings[i][0]);
        file_write(path, settings[i][1]);
    }
}

/* "fd00::15/64". */
static int change_address6(int fd, unsigned long change, const char *text)
{
    char plain[INET6_ADDRSTRLEN];
    unsigned bits;
    struct in6_ifreq request = {.ifr6_ifindex = (int)if_nametoindex(DEVICE)};
    if (sscanf(text, "%45[0-9a-f:]/%u", plain, &bits) != 2 || bits > 128 ||
        inet_pton(AF_INET6, plain, &request.ifr6_addr) != 1)
        return -EINVAL;
    request.ifr6_prefixlen = bits;
    return ioctl(fd, change, &request) < 0 ? -errno : 0;
}

void network_renumber6(const char *former, const char *address)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    int result = address[0] != '\0' ? change_address6(fd, SIOCSIFADDR, address) : 0;
    if (former[0] != '\0')
        change_address6(fd, SIOCDIFADDR, former);
    close(fd);
    if (result < 0 && result != -EEXIST)
        log_line("no IPv6 on " DEVICE ": %s", strerror(-result));
}

static int change_route6(int fd, unsigned long change, const char *gateway)
{
    struct in6_rtmsg route = {
        .rtmsg_flags = RTF_UP | (gateway[0] != '\0' ? RTF_GATEWAY : 0),
        .rtmsg_metric = 1024,
        .rtmsg_ifindex = (int)if_nametoindex(DEVICE),
    };
    if (gateway[0] != '\0' && inet_pton(AF_INET6, gateway, &route.rtmsg_gateway) != 1)
        return -EINVAL;
    return ioctl(fd, change, &route) < 0 ? -errno : 0;
}

void network_route6(const char *gateway)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    change_route6(fd, SIOCDELRT, "");
    int result = gateway[0] != '\0' ? change_route6(fd, SIOCADDRT, gateway) : 0;
    if (result < 0)
        log_line("no default route for IPv6: %s", strerror(-result));
    close(fd);
}

/* Failures are not fatal: IPv6 is optional. */
static void configure_ipv6(const Config *config)
{
    int fd = config->address6[0] != '\0' ? socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    int result = change_address6(fd, SIOCSIFADDR, config->address6);
    close(fd);
    if (result < 0)
        log_line("no IPv6 on " DEVICE ": %s", strerror(-result));
    else if (config->gateway6[0] != '\0')
        network_route6(config->gateway6);
}

static int configure(int fd, const Config *config, const char **ret_what)
{
    int result;
    *ret_what = "lo";
    if ((result = bring_up(fd, "lo")) < 0)
        return result;
    *ret_what = DEVICE;
    if (config->address[0] == '\0')
        return 0;
    if ((result = set_mtu(fd, config->mtu)) < 0)
        return result;
    *ret_what = "address of " DEVICE;
    if ((result = set_address(fd, config->address)) < 0)
        return result;
    *ret_what = DEVICE;
    quiet_ipv6();
    if ((result = bring_up(fd, DEVICE)) < 0)
        return result;
    configure_ipv6(config);
    *ret_what = "gateway of " DEVICE;
    return set_gateway(fd, config->gateway);
}

int network_up(const Config *config, const char **ret_what)
{
    *ret_what = "socket";
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int result = configure(fd, config, ret_what);
    close(fd);
    return result;
}
