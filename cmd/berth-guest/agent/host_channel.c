/* SPDX-License-Identifier: MIT */
#include "host_channel.h"

#include "os/clock.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PORTS     "/sys/class/virtio-ports"
#define FILL_SIZE 65536u

/* Whether sysfs names port @entry ("vport1p1") WIRE_PORT_NAME. */
static bool port_is_ours(const char *entry)
{
    char path[300];
    char name[64];
    snprintf(path, sizeof(path), PORTS "/%s/name", entry);
    return file_read_line(path, name, sizeof(name)) && strcmp(name, WIRE_PORT_NAME) == 0;
}

/* devtmpfs creates the node; without it, create one from the device number in sysfs. */
static int open_node(const char *entry)
{
    char node[300];
    snprintf(node, sizeof(node), "/dev/%s", entry);
    int fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd;

    char path[300];
    char number[32];
    unsigned major_number = 0;
    unsigned minor_number = 0;
    snprintf(path, sizeof(path), PORTS "/%s/dev", entry);
    if (!file_read_line(path, number, sizeof(number)) ||
        sscanf(number, "%u:%u", &major_number, &minor_number) != 2) {
        errno = ENOENT;
        return -1;
    }
    if (mknod(node, S_IFCHR | 0600, makedev(major_number, minor_number)) < 0)
        return -1;
    return open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

/* The port's descriptor, or -1 with errno; ENOENT: the port is not there (yet). */
static int scan_ports(void)
{
    DIR *directory = opendir(PORTS);
    if (directory == NULL)
        return -1;

    int fd = -1;
    int problem = ENOENT;
    const struct dirent *entry;
    while (fd < 0 && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || !port_is_ours(entry->d_name))
            continue;
        fd = open_node(entry->d_name);
        problem = errno;
    }
    closedir(directory);
    errno = problem;
    return fd;
}

/* A socket of kernel uevents: a port gets its name shortly after the driver starts. */
static int listen_for_devices(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
    if (fd >= 0 && bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int msec_left(uint64_t deadline_usec)
{
    uint64_t now = clock_boottime_usec();
    return now >= deadline_usec ? 0 : (int)((deadline_usec - now) / 1000 + 1);
}

int channel_open_port(Channel *channel, int timeout_msec)
{
    uint64_t deadline = clock_boottime_usec() + (uint64_t)timeout_msec * 1000;
    int devices = listen_for_devices(); /* before the first look, so that no uevent is missed */
    int fd = scan_ports();

    while (fd < 0 && errno == ENOENT && devices >= 0 && msec_left(deadline) > 0) {
        struct pollfd wait = {.fd = devices, .events = POLLIN};
        poll(&wait, 1, msec_left(deadline));
        char event[4096];
        while (recv(devices, event, sizeof(event), 0) > 0)
            continue;
        fd = scan_ports();
    }
    int problem = errno;
    if (devices >= 0)
        close(devices);
    if (fd < 0)
        return -problem;

    *channel = (Channel){.fd = fd, .is_port = true};
    return 0;
}

int channel_use_socket(Channel *channel, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    *channel = (Channel){.fd = fd};
    return 0;
}

int channel_fill(Channel *channel)
{
    size_t total = 0;
    while (total < FILL_SIZE) { /* a virtio port returns at most a page per read */
        uint8_t *room = wire_buffer_reserve(&channel->in, FILL_SIZE);
        if (room == NULL)
            return -ENOMEM;
        ssize_t size = read(channel->fd, room, FILL_SIZE);
        if (size > 0) {
            wire_buffer_added(&channel->in, (size_t)size);
            total += (size_t)size;
        } else if (size == 0 || errno != EINTR) {
            return total > 0 ? (int)total : size == 0 ? 0 : -errno;
        }
    }
    return (int)total;
}

int channel_flush(Channel *channel)
{
    while (wire_buffer_size(&channel->out) > 0) {
        ssize_t size =
            write(channel->fd, wire_buffer_head(&channel->out), wire_buffer_size(&channel->out));
        if (size > 0)
            wire_buffer_consume(&channel->out, (size_t)size);
        else if (size < 0 && errno == EAGAIN)
            return 0;
        else if (size == 0 || errno != EINTR)
            return size == 0 ? -EIO : -errno;
    }
    return channel->out.failed ? -ENOMEM : 0;
}

/* An epoll descriptor that watches the channel, or -errno. Edge-triggered: until the host connects,
 * the port reports a hang-up at each look. */
static int watch_channel(const Channel *channel, uint32_t events)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = events | EPOLLET};
    if (epoll < 0)
        return -errno;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, channel->fd, &event) == 0)
        return epoll;
    int problem = errno;
    close(epoll);
    return -problem;
}

int channel_drain(Channel *channel, int timeout_msec)
{
    uint64_t deadline = clock_boottime_usec() + (uint64_t)timeout_msec * 1000;
    int epoll = watch_channel(channel, EPOLLOUT);
    if (epoll < 0)
        return epoll;
    int result;
    struct epoll_event event;
    while ((result = channel_flush(channel)) == 0 && wire_buffer_size(&channel->out) > 0)
        if (epoll_wait(epoll, &event, 1, msec_left(deadline)) == 0) {
            result = -ETIMEDOUT;
            break;
        }
    close(epoll);
    return result;
}

int channel_wait_frame(Channel *channel, int timeout_msec, WireFrame *ret_frame)
{
    uint64_t deadline = clock_boottime_usec() + (uint64_t)timeout_msec * 1000;
    int epoll = watch_channel(channel, EPOLLIN | EPOLLOUT);
    if (epoll < 0)
        return epoll;

    int result;
    struct epoll_event event;
    while ((result = wire_frame_peek(&channel->in, ret_frame)) == 0) {
        channel_flush(channel);
        if (channel_fill(channel) > 0)
            continue;
        if (epoll_wait(epoll, &event, 1, msec_left(deadline)) == 0) {
            result = -ETIMEDOUT;
            break;
        }
    }
    close(epoll);
    return result;
}

void channel_reset(Channel *channel)
{
    wire_buffer_clear(&channel->in);
    wire_buffer_clear(&channel->out);
}
