/* SPDX-License-Identifier: MIT */
#include "init.h"

#include "wire/mount.h"

#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKGROUND_MAX 64
#define PAGES_MAX      (WIRE_MOUNT_DATA / 4096u)
#define INIT_MIN       16u /* of an INIT's body: version, readahead and flags */

/* Locks are the host kernel's own: between programs of this host only. */
#define FLAGS                                                                                      \
    (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ATOMIC_O_TRUNC | FUSE_DO_READDIRPLUS |               \
     FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS | FUSE_AUTO_INVAL_DATA | FUSE_ASYNC_DIO |        \
     FUSE_MAX_PAGES | FUSE_HANDLE_KILLPRIV_V2)

gsize berth_mount_answer_init(const void *body, gsize size, void *answer)
{
    struct fuse_init_in in = {0};
    memcpy(&in, body, MIN(size, sizeof(in)));
    if (size < INIT_MIN || in.major != FUSE_KERNEL_VERSION)
        return 0;
    const struct fuse_init_out out = {
        .major = FUSE_KERNEL_VERSION,
        .minor = MIN(in.minor, WIRE_MOUNT_MINOR),
        .max_readahead = in.max_readahead,
        .flags = in.flags & FLAGS,
        .max_background = BACKGROUND_MAX,
        .congestion_threshold = BACKGROUND_MAX * 3 / 4,
        .max_write = WIRE_MOUNT_DATA,
        .time_gran = 1,
        .max_pages = PAGES_MAX,
    };
    memcpy(answer, &out, sizeof(out));
    return sizeof(out);
}

gsize berth_mount_answer_root(void *answer)
{
    const struct fuse_attr_out out = {.attr = {.ino = FUSE_ROOT_ID,
                                               .mode = S_IFDIR | 0755,
                                               .nlink = 2,
                                               .uid = getuid(),
                                               .gid = getgid(),
                                               .blksize = 4096}};
    memcpy(answer, &out, sizeof(out));
    return sizeof(out);
}

gsize berth_mount_answer_space(void *answer)
{
    const struct fuse_statfs_out out = {.st = {.bsize = 4096, .frsize = 4096, .namelen = 255}};
    memcpy(answer, &out, sizeof(out));
    return sizeof(out);
}
