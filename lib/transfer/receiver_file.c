/* SPDX-License-Identifier: MIT */
#include "receiver_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* End the current file, created or not. */
static void close_file(Receiver *receiver)
{
    ReceiverFile *file = &receiver->file;
    if (file->fd >= 0)
        close(file->fd);
    *file = (ReceiverFile){.fd = -1};
}

void receiver_discard_file(Receiver *receiver)
{
    ReceiverFile *file = &receiver->file;
    if (file->open && file->fd >= 0)
        unlinkat(receiver_level(receiver)->fd, file->temporary, 0);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* Report that the file cannot be created; its further bytes are dropped. */
static int lose_file(Receiver *receiver, TransferStep step, int error)
{
    receiver_discard_file(receiver);
    return receiver_report(receiver, step, error);
}

/* ---- links ---- */

/* Number a file for later LINKs, and keep its path below the root if it was created. */
static int remember_link(Receiver *receiver, bool made)
{
    if (receiver->n_links == TRANSFER_LINKS_MAX)
        return -EPROTO;
    if (receiver->n_links == receiver->links_size) {
        uint32_t size = receiver->links_size > 0 ? receiver->links_size * 2 : 64;
        char **links = realloc(receiver->links, size * sizeof(*links));
        if (links == NULL)
            return -ENOMEM;
        receiver->links = links;
        receiver->links_size = size;
    }
    const char *below = path_text(&receiver->path) + receiver->root_length;
    receiver->links[receiver->n_links++] = made ? strdup(below + (below[0] == '/')) : NULL;
    return 0;
}

/* Link the file @first, a path below the root, to @name in the innermost directory. */
static int make_link(Receiver *receiver, const char *first, const char *name)
{
    char directory[TRANSFER_PATH_MAX] = ".";
    const char *slash = strrchr(first, '/');
    if (slash != NULL && snprintf(directory, sizeof(directory), "%.*s", (int)(slash - first),
                                  first) >= (int)sizeof(directory)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int from = receiver_open(receiver->levels[0].fd, directory, O_PATH | O_DIRECTORY, 0);
    if (from < 0)
        return -1;
    const char *base = slash != NULL ? slash + 1 : first;
    int result = linkat(from, base, receiver_level(receiver)->fd, name, 0);
    int error = errno;
    close(from);
    errno = error;
    return result;
}

int receiver_link(Receiver *receiver, const char *name, uint32_t index)
{
    char temporary[sizeof(receiver->file.temporary)];
    int directory = receiver_level(receiver)->fd;
    if (index >= receiver->n_links)
        return -EPROTO;
    const char *first = receiver->links[index];
    if (first == NULL) /* creating that file failed and was reported */
        return receiver_report(receiver, TRANSFER_STEP_LINK, ENOENT);
    if (!receiver_may_replace(receiver, name))
        return 0;
    receiver_temporary(receiver, temporary, sizeof(temporary));
    if (make_link(receiver, first, temporary) < 0)
        return receiver_report(receiver, TRANSFER_STEP_LINK, errno);
    int result = renameat(directory, temporary, directory, name);
    int error = errno;
    unlinkat(directory, temporary, 0); /* rename leaves it where both are the same file */
    return result < 0 ? receiver_report(receiver, TRANSFER_STEP_LINK, error) : 0;
}

/* ---- attributes ---- */

int receiver_attribute(Receiver *receiver, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *name = wire_get_string(&reader);
    if (reader.failed || strncmp(name, TRANSFER_ATTRIBUTES, strlen(TRANSFER_ATTRIBUTES)) != 0)
        return -EPROTO;
    const ReceiverLevel *level = receiver_level(receiver);
    int fd = receiver->file.open ? receiver->file.fd : level->made ? level->fd : -1;
    if (fd < 0 || receiver->skipped > 0)
        return 0;
    size_t size = (size_t)(reader.end - reader.next);
    if (receiver->no_attributes || fsetxattr(fd, name, reader.next, size, 0) == 0)
        return 0;
    receiver->no_attributes = errno == ENOTSUP; /* reported once */
    return receiver_report(receiver, TRANSFER_STEP_ATTRIBUTES, errno);
}

/* ---- content ---- */

int receiver_begin_file(Receiver *receiver, WireReader *reader, const char *name)
{
    ReceiverFile *file = &receiver->file;
    file->open = true;
    file->fd = -1;
    snprintf(file->name, sizeof(file->name), "%s", name);
    uint64_t size = wire_get_u64(reader);
    file->linked = wire_get_u8(reader) != 0;
    if (!wire_reader_done(reader))
        return -EPROTO;
    receiver->total = receiver->depth == 0 && receiver->count == 1 ? size : 0;
    if (receiver->skipped > 0 || !receiver_may_replace(receiver, name))
        return 0;
    receiver_temporary(receiver, file->temporary, sizeof(file->temporary));
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t mode = file->meta.mode | 0600; /* ours to write, attributes too */
    file->fd = receiver_open(receiver_level(receiver)->fd, file->temporary, flags, mode);
    return file->fd < 0 ? receiver_report(receiver, TRANSFER_STEP_CREATE, errno) : 0;
}

/* 0 or an errno. */
static int write_at(int fd, const uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, bytes, size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        bytes += written;
        size -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

static int handle_data(Receiver *receiver, WireReader *reader)
{
    ReceiverFile *file = &receiver->file;
    const TransferReceive *receive = receiver->receive;
    uint64_t offset = wire_get_u64(reader);
    size_t size = (size_t)(reader->end - reader->next);
    if (reader->failed || offset > (uint64_t)INT64_MAX - size)
        return -EPROTO;
    receiver->done += size;
    if (receive->progress != NULL &&
        !receive->progress(receive->data, receiver->done, receiver->total))
        return -ECANCELED;
    int error = file->fd >= 0 ? write_at(file->fd, reader->next, size, offset) : 0;
    file->size = offset + size > file->size ? offset + size : file->size;
    return error != 0 ? lose_file(receiver, TRANSFER_STEP_WRITE, error) : 0;
}

/* A file that was created with its mode already has it, unless the umask or a default ACL took from
 * it: each change of an inode costs an ext4 a checksum. */
static int set_mode(int fd, mode_t mode)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && (info.st_mode & 07777) == mode)
        return 0;
    return fchmod(fd, mode);
}

/* Give the whole file its size, permissions, times and name. */
static int complete_file(Receiver *receiver, uint64_t size)
{
    ReceiverFile *file = &receiver->file;
    int directory = receiver_level(receiver)->fd;
    if (size != file->size && ftruncate(file->fd, (off_t)size) < 0)
        return lose_file(receiver, TRANSFER_STEP_WRITE, errno);
    if (set_mode(file->fd, file->meta.mode) < 0 || futimens(file->fd, file->meta.times) < 0) {
        int result = receiver_report(receiver, TRANSFER_STEP_METADATA, errno);
        if (result < 0)
            return result;
    }
    if (renameat(directory, file->temporary, directory, file->name) < 0)
        return lose_file(receiver, TRANSFER_STEP_CREATE, errno);
    return 0;
}

/* FILE_END with its @size, or FILE_LOST without. */
static int end_file(Receiver *receiver, const uint64_t *size)
{
    ReceiverFile *file = &receiver->file;
    int result = 0;
    if (size == NULL)
        receiver_discard_file(receiver);
    else if (file->fd >= 0)
        result = complete_file(receiver, *size);
    if (result == 0 && file->linked)
        result = remember_link(receiver, file->fd >= 0);
    if (result < 0)
        return result;
    close_file(receiver);
    return 0;
}

int receiver_file_frame(Receiver *receiver, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint64_t size;
    switch ((unsigned)frame->type) {
    case TRANSFER_DATA:
        return handle_data(receiver, &reader);
    case TRANSFER_FILE_END:
        size = wire_get_u64(&reader);
        return wire_reader_done(&reader) && size <= INT64_MAX ? end_file(receiver, &size) : -EPROTO;
    case TRANSFER_FILE_LOST:
        return wire_reader_done(&reader) ? end_file(receiver, NULL) : -EPROTO;
    default:
        return -EPROTO;
    }
}
