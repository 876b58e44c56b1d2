/* SPDX-License-Identifier: MIT */
#include "read_ahead.h"

#include <sys/stat.h>
#include <unistd.h>

void berth_read_ahead_init(BerthReadAhead *ahead, int fd)
{
    struct stat info;
    bool file =
        fd >= 0 && fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISBLK(info.st_mode));
    *ahead = (BerthReadAhead){.fd = file ? fd : -1};
}

void berth_read_ahead_restore(const BerthReadAhead *ahead)
{
    if (ahead->fd < 0 || !ahead->known || ahead->taken >= ahead->read)
        return;
    off_t back = (off_t)(ahead->read - ahead->taken);
    lseek(ahead->fd, -back, SEEK_CUR); /* fails harmlessly on a pipe */
}
