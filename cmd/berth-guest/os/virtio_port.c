/* SPDX-License-Identifier: MIT */
#include "virtio_port.h"

#include "clock.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"

/* Whether sysfs names port @entry ("vport1p1") @wanted. */
static bool has_name(const char *entry, const char *wanted)
{
    char path[300];
    char name[64];
    snprintf(path, sizeof(path), PORTS "/%s/name", entry);
    return file_read_line(path, name, sizeof(name)) && strcmp(name, wanted) == 0;
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
static int scan_ports(const char *name)
{
    DIR *directory = opendir(PORTS);
    if (directory == NULL)
        return -1;

    int fd = -1;
    int problem = ENOENT;
    const struct dirent *entry;
    while (fd < 0 && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || !has_name(entry->d_name, name))
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

int port_open(const char *name, int timeout_msec)
{
    uint64_t deadline = clock_boottime_usec() + (uint64_t)timeout_msec * 1000;
    int devices = listen_for_devices(); /* before the first look, so that no uevent is missed */
    int fd = scan_ports(name);

    while (fd < 0 && errno == ENOENT && devices >= 0 && msec_left(deadline) > 0) {
        struct pollfd wait = {.fd = devices, .events = POLLIN};
        poll(&wait, 1, msec_left(deadline));
        char event[4096];
        while (recv(devices, event, sizeof(event), 0) > 0)
            continue;
        fd = scan_ports(name);
    }
    int problem = errno;
    if (devices >= 0)
        close(devices);
    return fd < 0 ? -problem : fd;
}
