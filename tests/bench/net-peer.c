/* SPDX-License-Identifier: MIT
 *
 * net-peer — the guest's end of tests/bench/net. As PID 1 it is the whole user space: configures
 * lo, and eth0 as 10.0.2.15, then serves as it does elsewhere.
 *
 *     port 7001   accepts a connection, echoes its first byte, closes it
 *     port 7000   reads commands, one process a connection:
 *                 sink                   reads to the end, reports the number of bytes
 *                 source SIZE            sends SIZE bytes and closes
 *                 upload ADDRESS PORT SIZE, download ADDRESS PORT
 *                                        the same over a connection of its own, then "done"
 *                 listen PORT, close     "done" once it listens or no longer does
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK 65536

static char block[BLOCK];

static struct sockaddr_in address_of(const char *text, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

static void set(int fd, unsigned long request, const char *device, const char *address)
{
    struct ifreq link = {0};
    struct sockaddr_in internet = address_of(address, 0);
    strcpy(link.ifr_name, device);
    memcpy(&link.ifr_addr, &internet, sizeof(internet));
    ioctl(fd, request, &link);
}

static void bring_up(int fd, const char *device)
{
    struct ifreq link = {.ifr_flags = IFF_UP | IFF_RUNNING};
    strcpy(link.ifr_name, device);
    ioctl(fd, SIOCSIFFLAGS, &link);
}

static void configure(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in gateway = address_of("10.0.2.2", 0);
    struct sockaddr_in any = address_of("0.0.0.0", 0);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    memcpy(&route.rt_gateway, &gateway, sizeof(gateway));
    memcpy(&route.rt_dst, &any, sizeof(any));
    memcpy(&route.rt_genmask, &any, sizeof(any));
    bring_up(fd, "lo");
    set(fd, SIOCSIFADDR, "eth0", "10.0.2.15");
    set(fd, SIOCSIFNETMASK, "eth0", "255.255.255.0");
    bring_up(fd, "eth0");
    ioctl(fd, SIOCADDRT, &route);
    /* passt learns the guest's MAC address from its first frame */
    struct sockaddr_in discard = address_of("10.0.2.2", 9);
    sendto(fd, "", 1, 0, (struct sockaddr *)&discard, sizeof(discard));
    close(fd);
}

static int listen_on(int port)
{
    struct sockaddr_in address = address_of("0.0.0.0", port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0)
        return -1;
    return fd;
}

static long long drain(int fd)
{
    long long total = 0;
    ssize_t size;
    while ((size = read(fd, block, BLOCK)) > 0)
        total += size;
    return total;
}

static void pour(int fd, long long size)
{
    while (size > 0) {
        ssize_t sent = write(fd, block, size < BLOCK ? (size_t)size : BLOCK);
        if (sent <= 0)
            return;
        size -= sent;
    }
}

static void dial(const char *address, int port, long long size)
{
    struct sockaddr_in to = address_of(address, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        pour(fd, size);
        shutdown(fd, SHUT_WR);
        drain(fd);
    }
    close(fd);
}

static void serve(int fd)
{
    static int listener = -1;
    char line[128];
    char address[64];
    long long size;
    int port;
    FILE *in = fdopen(dup(fd), "r");
    setvbuf(in, NULL, _IONBF, 0);
    while (fgets(line, sizeof(line), in) != NULL) {
        if (strcmp(line, "sink\n") == 0)
            dprintf(fd, "%lld\n", drain(fd));
        else if (sscanf(line, "source %lld", &size) == 1) {
            pour(fd, size);
            _exit(0);
        } else if (sscanf(line, "upload %63s %d %lld", address, &port, &size) == 3)
            dial(address, port, size);
        else if (sscanf(line, "download %63s %d", address, &port) == 2)
            dial(address, port, 0);
        else if (sscanf(line, "listen %d", &port) == 1)
            listener = listen_on(port);
        else if (strcmp(line, "close\n") == 0)
            close(listener);
        dprintf(fd, "done\n");
    }
    _exit(0);
}

int main(void)
{
    if (getpid() == 1)
        configure();
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int bytes = listen_on(7001);
    int lines = listen_on(7000);
    if (bytes < 0 || lines < 0)
        return 1;
    if (fork() == 0) {
        for (;;) {
            int fd = accept(bytes, NULL, NULL);
            if (fd >= 0 && (read(fd, block, 1) != 1 || write(fd, block, 1) != 1))
                perror("port 7001");
            close(fd);
        }
    }
    close(bytes);
    for (;;) {
        int fd = accept(lines, NULL, NULL);
        if (fd >= 0 && fork() == 0) {
            close(lines);
            serve(fd);
        }
        close(fd);
    }
}
