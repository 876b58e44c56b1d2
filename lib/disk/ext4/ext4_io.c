/* SPDX-License-Identifier: MIT */
#include "ext4_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static errcode_t read_at(int fd, guint64 position, void *buffer, gsize size)
{
    guint8 *next = buffer;
    if (position > G_MAXINT64 - size)
        return EXT2_ET_SHORT_READ;
    while (size > 0) {
        ssize_t got = pread(fd, next, size, (off_t)position);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return EXT2_ET_SHORT_READ;
        next += got;
        position += (guint64)got;
        size -= (gsize)got;
    }
    return 0;
}

static int fd_of(io_channel channel)
{
    return GPOINTER_TO_INT(channel->private_data);
}

/* A negative count is a number of bytes. */
static errcode_t read_blocks64(io_channel channel, unsigned long long block, int count, void *data)
{
    gsize size = count < 0 ? -(gsize)count : (gsize)count * (gsize)channel->block_size;
    if (block > G_MAXINT64 / (guint64)channel->block_size)
        return EXT2_ET_SHORT_READ;
    return read_at(fd_of(channel), block * (guint64)channel->block_size, data, size);
}

static errcode_t read_blocks(io_channel channel, unsigned long block, int count, void *data)
{
    return read_blocks64(channel, block, count, data);
}

static errcode_t refuse_write(io_channel channel, unsigned long block, int count, const void *data)
{
    return EROFS;
}

static errcode_t refuse_write64(io_channel channel, unsigned long long block, int count,
                                const void *data)
{
    return EROFS;
}

static errcode_t set_block_size(io_channel channel, int size)
{
    channel->block_size = size;
    return 0;
}

static errcode_t flush(io_channel channel)
{
    return 0;
}

static errcode_t close_channel(io_channel channel)
{
    if (--channel->refcount > 0)
        return 0;
    free(channel->name);
    free(channel);
    return 0;
}

static errcode_t open_channel(const char *name, int flags, io_channel *ret_channel);

static struct struct_io_manager manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "descriptor",
    .open = open_channel,
    .close = close_channel,
    .set_blksize = set_block_size,
    .read_blk = read_blocks,
    .read_blk64 = read_blocks64,
    .write_blk = refuse_write,
    .write_blk64 = refuse_write64,
    .flush = flush,
};

/* libext2fs passes only a name: the descriptor's number. On failure it frees neither name nor
 * channel. */
static errcode_t open_channel(const char *name, int flags, io_channel *ret_channel)
{
    io_channel channel = calloc(1, sizeof(*channel));
    char *copy = strdup(name);
    if (channel == NULL || copy == NULL) {
        free(channel);
        free(copy);
        return EXT2_ET_NO_MEMORY;
    }
    channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    channel->manager = &manager;
    channel->name = copy;
    channel->block_size = 1024;
    channel->refcount = 1;
    channel->private_data = GINT_TO_POINTER(atoi(name));
    *ret_channel = channel;
    return 0;
}

errcode_t berth_ext4_io_open(int fd, ext2_filsys *ret_fs)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", fd);
    ext2_filsys fs = NULL;
    errcode_t code = ext2fs_open(name, EXT2_FLAG_64BITS, 0, 0, &manager, &fs);
    if (code == 0)
        *ret_fs = fs;
    return code;
}

errcode_t berth_ext4_io_read(ext2_filsys fs, guint64 position, void *buffer, gsize size)
{
    return read_at(fd_of(fs->io), position, buffer, size);
}
