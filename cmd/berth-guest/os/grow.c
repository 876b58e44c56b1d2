/* SPDX-License-Identifier: MIT */
#include "grow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DISK "/dev/vda"
/* How long the kernel may take to notice the new size of the disk. */
#define NOTICE_MSEC 10000

/* Offsets of ext4's superblock. Source: the kernel's documentation of ext4's disk layout. */
#define SUPERBLOCK_OFFSET 1024
#define BLOCKS_LOW        0x4
#define LOG_BLOCK_SIZE    0x18
#define BLOCKS_HIGH       0x150

#define GROW_STEP (UINT64_C(1) << 24) /* blocks: 64 GiB, for most */

/* from linux/ext4.h, which older kernel headers lack */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* Get the blocks of the file system and those that fit the disk. 0, or -errno. */
static int read_sizes(uint64_t *ret_now, uint64_t *ret_room)
{
    uint8_t super[1024];
    uint64_t bytes = 0;
    int disk = open(DISK, O_RDONLY | O_CLOEXEC);
    if (disk < 0)
        return -errno;
    bool ok = ioctl(disk, BLKGETSIZE64, &bytes) == 0 &&
              pread(disk, super, sizeof(super), SUPERBLOCK_OFFSET) == (ssize_t)sizeof(super);
    close(disk);
    if (!ok)
        return -EIO;
    *ret_now = get_u32(super + BLOCKS_LOW) | (uint64_t)get_u32(super + BLOCKS_HIGH) << 32;
    *ret_room = bytes >> (10 + get_u32(super + LOG_BLOCK_SIZE) % 8);
    return 0;
}

int grow_to_disk(int seconds, const char **ret_what)
{
    uint64_t now = 0, room = 0;
    *ret_what = DISK;
    int result = read_sizes(&now, &room);
    if (result < 0 || room <= now)
        return result;

    *ret_what = "grow to the disk's size";
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct timespec end, time;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    result = root < 0 ? -errno : 0;
    while (result == 0 && now < room) {
        now = room - now > GROW_STEP ? now + GROW_STEP : room;
        uint64_t blocks = now;
        result = ioctl(root, EXT4_IOC_RESIZE_FS, &blocks) < 0 ? -errno : 0;
        clock_gettime(CLOCK_MONOTONIC, &time);
        if (result == 0 && seconds > 0 && now < room && time.tv_sec >= end.tv_sec)
            result = -EAGAIN;
    }
    if (root >= 0)
        close(root);
    return result;
}

/* ---- while it runs ---- */

/* A socket of uevents, one of which reports a resized disk. */
static int open_events(void)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    if (events >= 0 && bind(events, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
        close(events);
        return -1;
    }
    return events;
}

static int wait_for_size(uint64_t size)
{
    int disk = open(DISK, O_RDONLY | O_CLOEXEC);
    int events = open_events();
    int result = disk < 0 || events < 0 ? -errno : 0;
    for (uint64_t now = 0; result == 0;) {
        char event[4096];
        struct pollfd ready = {.fd = events, .events = POLLIN};
        if (ioctl(disk, BLKGETSIZE64, &now) == 0 && now >= size)
            break;
        if (poll(&ready, 1, NOTICE_MSEC) == 0 || recv(events, event, sizeof(event), 0) < 0)
            result = -ETIMEDOUT;
    }
    if (disk >= 0)
        close(disk);
    if (events >= 0)
        close(events);
    return result;
}

pid_t grow_start(uint64_t size)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    const char *what = "";
    int result = wait_for_size(size);
    if (result == 0)
        result = grow_to_disk(0, &what);
    _exit(-result);
}
