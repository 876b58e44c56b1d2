/* SPDX-License-Identifier: MIT */
#include "swap.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#define HOT_ADD  "/sys/class/zram-control/hot_add"
#define PRIORITY 100

/* union swap_header of the kernel's swap.h: version and last page after 1024 bytes of a boot
 * loader, the magic at the end of the first page. */
#define VERSION_AT   1024
#define LAST_PAGE_AT 1028
#define MAGIC        "SWAPSPACE2"
#define PAGE_MAX     65536

int swap_write_header(int fd, uint64_t size)
{
    char header[PAGE_MAX] = {0};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uint32_t version = 1, last_page = (uint32_t)(size / page - 1);
    memcpy(header + VERSION_AT, &version, sizeof(version));
    memcpy(header + LAST_PAGE_AT, &last_page, sizeof(last_page));
    memcpy(header + page - strlen(MAGIC), MAGIC, strlen(MAGIC));
    return file_write_all(fd, header, page);
}

static int make(const char *device, uint64_t size)
{
    int fd = open(device, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = swap_write_header(fd, size);
    if (close(fd) < 0 && result == 0)
        result = -errno;
    return result;
}

int swap_add(uint64_t size, const char **ret_what)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char number[16], path[64], text[32];
    *ret_what = HOT_ADD;
    size -= size % page;
    if (!file_read_line(HOT_ADD, number, sizeof(number)))
        return -ENODEV;
    *ret_what = "disksize";
    snprintf(path, sizeof(path), "/sys/block/zram%s/disksize", number);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
    int result = file_write(path, text);
    snprintf(path, sizeof(path), "/dev/zram%s", number);
    if (result == 0) {
        *ret_what = "/dev/zram";
        result = make(path, size);
    }
    if (result == 0 && swapon(path, SWAP_FLAG_PREFER | PRIORITY) < 0) {
        *ret_what = "swapon";
        result = -errno;
    }
    return result;
}
