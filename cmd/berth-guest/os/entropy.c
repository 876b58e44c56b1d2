/* SPDX-License-Identifier: MIT */
#include "entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* More than the kernel and its driver keep of what they have read before, which a copy has, too. */
#define FRESH 512

static int read_host(unsigned char *bytes, size_t size)
{
    size_t got = 0;
    int fd = open("/dev/hwrng", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (got < size) {
        ssize_t count = read(fd, bytes + got, size - got);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        got += (size_t)count;
    }
    int result = got == size ? 0 : errno != 0 ? -errno : -EIO;
    close(fd);
    return result;
}

int entropy_renew(void)
{
    union {
        struct rand_pool_info info;
        unsigned char room[sizeof(struct rand_pool_info) + FRESH];
    } pool = {.info = {.entropy_count = 8 * FRESH, .buf_size = FRESH}};
    int result = read_host(pool.room + offsetof(struct rand_pool_info, buf), FRESH);
    int fd = result == 0 ? open("/dev/urandom", O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return result < 0 ? result : -errno;
    if (ioctl(fd, RNDADDENTROPY, &pool.info) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
        result = -errno;
    close(fd);
    return result;
}
