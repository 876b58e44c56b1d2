/* SPDX-License-Identifier: MIT */
#include "sender_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- extended attributes ---- */

static int put_attribute(Sender *sender, int fd, const char *name)
{
    ssize_t size = fgetxattr(fd, name, sender->value, WIRE_PAYLOAD_MAX);
    if (size < 0 && errno == ENODATA) /* another process has removed it */
        return 0;
    if (size < 0)
        return sender_report(sender, TRANSFER_STEP_SOURCE_ATTRIBUTES, errno);
    if ((size_t)size + strlen(name) + 5 > WIRE_PAYLOAD_MAX)
        return sender_report(sender, TRANSFER_STEP_SOURCE_ATTRIBUTES, E2BIG);
    size_t begin = transfer_begin(&sender->writer, TRANSFER_ATTRIBUTE);
    wire_put_string(&sender->writer.buffer, name);
    wire_buffer_append(&sender->writer.buffer, sender->value, (size_t)size);
    return transfer_end(&sender->writer, begin);
}

int sender_put_attributes(Sender *sender, int fd)
{
    ssize_t size = flistxattr(fd, sender->names, TRANSFER_NAMES_SIZE);
    if (size < 0 && errno != ENOTSUP)
        return sender_report(sender, TRANSFER_STEP_SOURCE_ATTRIBUTES, errno);
    int result = 0;
    for (ssize_t at = 0; at < size && result == 0;) {
        const char *name = sender->names + at;
        if (strncmp(name, TRANSFER_ATTRIBUTES, strlen(TRANSFER_ATTRIBUTES)) == 0)
            result = put_attribute(sender, fd, name);
        at += (ssize_t)strlen(name) + 1;
    }
    return result;
}

/* ---- content ---- */

enum { LOST = 1 }; /* reading failed, and was reported */

static int put_progress(Sender *sender, size_t size)
{
    const TransferSend *send = sender->send;
    sender->done += size;
    bool goes_on =
        send->progress == NULL || send->progress(send->data, sender->done, sender->total);
    return goes_on ? 0 : -ECANCELED;
}

/* Read up to @size bytes at @offset into a DATA frame; *ret_size 0: the end. */
static int put_data(Sender *sender, int fd, uint64_t offset, size_t size, size_t *ret_size)
{
    WireBuffer *buffer = &sender->writer.buffer;
    /* reserve all at once: later appends then move nothing */
    uint8_t *room = wire_buffer_reserve(buffer, WIRE_HEADER_SIZE + sizeof(offset) + size);
    if (room == NULL)
        return -ENOMEM;
    ssize_t count = pread(fd, room + WIRE_HEADER_SIZE + sizeof(offset), size, (off_t)offset);
    *ret_size = count > 0 ? (size_t)count : 0;
    if (count < 0) {
        int result = sender_report(sender, TRANSFER_STEP_READ, errno);
        return result < 0 ? result : LOST;
    }
    if (count == 0)
        return 0;
    size_t begin = transfer_begin(&sender->writer, TRANSFER_DATA);
    wire_put_u64(buffer, offset);
    wire_buffer_added(buffer, (size_t)count);
    int result = transfer_end(&sender->writer, begin);
    return result < 0 ? result : put_progress(sender, (size_t)count);
}

/* Send the bytes from *@offset up to @end, or to the end of the file; *@offset is then there. A
 * read that gives less than it was asked for and reaches @size, which is not 0 as in /proc, has met
 * the end: a small file takes one read. */
static int put_range(Sender *sender, int fd, uint64_t *offset, uint64_t end, uint64_t size)
{
    while (*offset < end) {
        uint64_t left = end - *offset;
        size_t taken;
        size_t most = left < TRANSFER_CHUNK ? (size_t)left : TRANSFER_CHUNK;
        int result = put_data(sender, fd, *offset, most, &taken);
        if (result != 0 || taken == 0)
            return result;
        *offset += taken;
        if (taken < most && *offset == size)
            return 0;
    }
    return 0;
}

/* Send the data between the holes. Lowers *@size, the size of the file, if the file ends sooner. */
static int put_sparse(Sender *sender, int fd, uint64_t *size)
{
    uint64_t offset = 0;
    while (offset < *size) {
        off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
        if (data < 0 && errno == ENXIO) /* a hole up to the end */
            return 0;
        off_t hole = data >= 0 ? lseek(fd, data, SEEK_HOLE) : -1;
        offset = hole >= 0 ? (uint64_t)data : offset;
        uint64_t end = hole >= 0 && (uint64_t)hole < *size ? (uint64_t)hole : *size;
        int result = put_range(sender, fd, &offset, end, *size);
        if (result != 0)
            return result;
        if (offset < end)
            *size = offset;
    }
    return 0;
}

static int put_content(Sender *sender, int fd, const struct stat *info)
{
    uint64_t size = 0;
    int result;
    if ((uint64_t)info->st_blocks * 512 < (uint64_t)info->st_size) {
        size = (uint64_t)info->st_size;
        result = put_sparse(sender, fd, &size);
    } else {
        result = put_range(sender, fd, &size, INT64_MAX, (uint64_t)info->st_size);
    }
    if (result < 0)
        return result;
    if (result == LOST)
        return transfer_put(&sender->writer, TRANSFER_FILE_LOST);
    size_t begin = transfer_begin(&sender->writer, TRANSFER_FILE_END);
    wire_put_u64(&sender->writer.buffer, size);
    return transfer_end(&sender->writer, begin);
}

/* ---- files ---- */

static int put_link(Sender *sender, const SenderEntry *entry, uint32_t index)
{
    size_t begin = transfer_begin(&sender->writer, TRANSFER_LINK);
    wire_put_string(&sender->writer.buffer, entry->sent);
    wire_put_u32(&sender->writer.buffer, index);
    return transfer_end(&sender->writer, begin);
}

static int put_open_file(Sender *sender, const SenderEntry *entry, int fd)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return sender_report(sender, TRANSFER_STEP_OPEN, errno);
    if (!S_ISREG(info.st_mode)) /* another process has replaced the file */
        return sender_report(sender, TRANSFER_STEP_SPECIAL, 0);
    bool linked = info.st_nlink > 1 && links_add(&sender->links, &info);
    size_t begin = transfer_begin(&sender->writer, TRANSFER_FILE);
    transfer_put_meta(&sender->writer, &info);
    wire_put_string(&sender->writer.buffer, entry->sent);
    wire_put_u64(&sender->writer.buffer, (uint64_t)info.st_size);
    wire_put_u8(&sender->writer.buffer, linked);
    int result = transfer_end(&sender->writer, begin);
    if (result == 0)
        result = sender_put_attributes(sender, fd);
    return result < 0 ? result : put_content(sender, fd, &info);
}

int sender_put_file(Sender *sender, const SenderEntry *entry, const struct stat *info)
{
    uint32_t index;
    if (info->st_nlink > 1 && links_find(&sender->links, info, &index))
        return put_link(sender, entry, index);
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (entry->follow ? 0 : O_NOFOLLOW);
    int fd = openat(entry->directory, entry->name, flags);
    if (fd < 0)
        return sender_report(sender, TRANSFER_STEP_OPEN, errno);
    int result = put_open_file(sender, entry, fd);
    close(fd);
    return result;
}
