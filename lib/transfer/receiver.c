/* SPDX-License-Identifier: MIT */
#include "receiver_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int receiver_open(int directory, const char *path, int flags, mode_t mode)
{
    const struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

/* Further entries would only fail in the same way. An attribute that does not fit is ENOSPC, too.
 */
static bool is_fatal(TransferStep step, int error)
{
    return step != TRANSFER_STEP_ATTRIBUTES &&
           (error == ENOSPC || error == EDQUOT || error == EROFS);
}

int receiver_report(Receiver *receiver, TransferStep step, int error)
{
    const TransferReceive *receive = receiver->receive;
    const TransferProblem problem = {step, error, path_text(&receiver->path)};
    receive->report(receive->data, &problem);
    return is_fatal(step, error) ? -error : 0;
}

void receiver_temporary(Receiver *receiver, char *name, size_t size)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(name, size, ".berth-cp-%x-%x", (unsigned)getpid() ^ (unsigned)now.tv_nsec << 8,
             receiver->serial++);
}

bool receiver_may_replace(Receiver *receiver, const char *name)
{
    const ReceiverLevel *level = receiver_level(receiver);
    struct stat info;
    if (level->made || fstatat(level->fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISREG(info.st_mode) || S_ISLNK(info.st_mode))
        return true;
    receiver_report(receiver, TRANSFER_STEP_CREATE, S_ISDIR(info.st_mode) ? EISDIR : EEXIST);
    return false;
}

/* ---- the destination ---- */

/* Split the destination into an existing directory and the name of the entry in it. */
static int split_target(Receiver *receiver)
{
    const char *path = receiver->receive->path;
    size_t end = strlen(path);
    receiver->slash = end > 0 && path[end - 1] == '/';
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    snprintf(receiver->target, sizeof(receiver->target), "%.*s", (int)(end - start), path + start);
    if (end - start > TRANSFER_NAME_MAX)
        return -ENAMETOOLONG;
    if (!transfer_name_is_valid(receiver->target))
        return -ENOENT;
    char *parent = strndup(path, start);
    if (parent == NULL)
        return -ENOMEM;
    if (start > 0)
        path_push(&receiver->path, parent);
    int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    receiver->levels[0].fd = open(start > 0 ? parent : ".", flags);
    free(parent);
    return receiver->levels[0].fd < 0 ? -errno : 0;
}

static int find_target(Receiver *receiver)
{
    const TransferReceive *receive = receiver->receive;
    int fd = open(receive->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (receive->directory || (errno != ENOENT && errno != ENOTDIR)))
        return -errno;
    receiver->into = fd >= 0;
    receiver->levels[0].fd = fd;
    if (fd < 0)
        return split_target(receiver);
    path_push(&receiver->path, receive->path);
    return 0;
}

static int open_target(Receiver *receiver)
{
    int result = find_target(receiver);
    if (result < 0) {
        const TransferProblem problem = {TRANSFER_STEP_TARGET, -result, receiver->receive->path};
        receiver->receive->report(receiver->receive->data, &problem);
        return result;
    }
    receiver->root_length = receiver->path.length;
    return 0;
}

/* ---- directories ---- */

/* Open the directory for the entries of the outermost ".". */
static int enter_root(Receiver *receiver, int *ret_fd)
{
    *ret_fd = fcntl(receiver->levels[0].fd, F_DUPFD_CLOEXEC, 3);
    return *ret_fd < 0 ? -errno : 0;
}

/* Make or find the directory @name. 0 or -errno. */
static int enter_named(Receiver *receiver, const char *name, int *ret_fd, bool *ret_made)
{
    int parent = receiver_level(receiver)->fd;
    *ret_made = mkdirat(parent, name, 0700) == 0;
    if (!*ret_made && errno != EEXIST)
        return -errno;
    int flags = (*ret_made ? O_RDONLY : O_PATH) | O_DIRECTORY | O_NOFOLLOW;
    *ret_fd = receiver_open(parent, name, flags, 0);
    if (*ret_fd >= 0)
        return 0;
    return !*ret_made && errno == ELOOP ? -ENOTDIR : -errno; /* a symlink is there */
}

/* The path ends with the entry's name; @before is its length without that name. */
static int enter_directory(Receiver *receiver, const TransferMeta *meta, const char *name,
                           size_t before)
{
    int fd = -1;
    bool made = false;
    if (receiver->skipped > 0) {
        receiver->skipped++;
        path_pop(&receiver->path, before);
        return receiver->skipped <= TRANSFER_DEPTH_MAX ? 0 : -EPROTO;
    }
    if (receiver->depth >= TRANSFER_DEPTH_MAX)
        return -EPROTO;
    int result = strcmp(name, ".") == 0 ? enter_root(receiver, &fd)
                                        : enter_named(receiver, name, &fd, &made);
    if (result < 0) {
        result = receiver_report(receiver, TRANSFER_STEP_CREATE, -result);
        receiver->skipped = 1;
        path_pop(&receiver->path, before);
        return result;
    }
    receiver->levels[++receiver->depth] = (ReceiverLevel){fd, before, made, *meta};
    return 0;
}

/* Set the permissions, with an inherited setgid, and times of a directory that we made. */
static int complete_directory(Receiver *receiver, const ReceiverLevel *level)
{
    struct stat info;
    if (fstat(level->fd, &info) < 0 ||
        fchmod(level->fd, level->meta.mode | (info.st_mode & S_ISGID)) < 0 ||
        futimens(level->fd, level->meta.times) < 0)
        return receiver_report(receiver, TRANSFER_STEP_METADATA, errno);
    return 0;
}

static int leave_directory(Receiver *receiver)
{
    if (receiver->skipped > 0) {
        receiver->skipped--;
        return 0;
    }
    if (receiver->depth == 0)
        return -EPROTO;
    ReceiverLevel *level = receiver_level(receiver);
    int result = level->made ? complete_directory(receiver, level) : 0;
    close(level->fd);
    path_pop(&receiver->path, level->path_length);
    receiver->depth--;
    return result;
}

/* ---- entries ---- */

static int make_symlink(Receiver *receiver, const TransferMeta *meta, const char *target,
                        const char *name)
{
    char temporary[sizeof(receiver->file.temporary)];
    int directory = receiver_level(receiver)->fd;
    if (!receiver_may_replace(receiver, name))
        return 0;
    receiver_temporary(receiver, temporary, sizeof(temporary));
    if (symlinkat(target, directory, temporary) < 0)
        return receiver_report(receiver, TRANSFER_STEP_CREATE, errno);
    utimensat(directory, temporary, meta->times, AT_SYMLINK_NOFOLLOW);
    if (renameat(directory, temporary, directory, name) == 0)
        return 0;
    int error = errno;
    unlinkat(directory, temporary, 0);
    return receiver_report(receiver, TRANSFER_STEP_CREATE, error);
}

/* The local name for the entry that the stream calls @sent; NULL: the name is not valid. */
static const char *local_name(Receiver *receiver, uint8_t type, const char *sent)
{
    bool outermost = receiver->depth == 0 && receiver->skipped == 0;
    bool dot = outermost && type == TRANSFER_DIRECTORY && strcmp(sent, ".") == 0;
    if (!dot && !transfer_name_is_valid(sent))
        return NULL;
    if (!outermost)
        return sent;
    receiver->count++;
    if (receiver->into)
        return sent;
    return receiver->count == 1 ? receiver->target : NULL;
}

static int make_entry(Receiver *receiver, const WireFrame *frame, WireReader *reader,
                      const TransferMeta *meta, const char *name)
{
    size_t before = path_push(&receiver->path, name);
    if (frame->type == TRANSFER_DIRECTORY)
        return wire_reader_done(reader) ? enter_directory(receiver, meta, name, before) : -EPROTO;
    receiver->file.meta = *meta;
    receiver->file_path = before;
    if (frame->type == TRANSFER_FILE)
        return receiver_begin_file(receiver, reader, name);
    const char *target = frame->type == TRANSFER_SYMLINK ? wire_get_string(reader) : NULL;
    uint32_t index = target == NULL ? wire_get_u32(reader) : 0;
    int result = -EPROTO;
    if (wire_reader_done(reader) && receiver->skipped > 0)
        result = 0;
    else if (wire_reader_done(reader))
        result = target != NULL ? make_symlink(receiver, meta, target, name)
                                : receiver_link(receiver, name, index);
    path_pop(&receiver->path, before);
    return result;
}

/* FILE, DIRECTORY, SYMLINK or LINK. */
static int handle_entry(Receiver *receiver, const WireFrame *frame)
{
    WireReader reader;
    TransferMeta meta = {0};
    wire_reader_init(&reader, frame);
    if (frame->type != TRANSFER_LINK)
        meta = transfer_get_meta(&reader);
    const char *sent = wire_get_string(&reader);
    if (reader.failed)
        return -EPROTO;
    const char *name = local_name(receiver, frame->type, sent);
    if (name == NULL)
        return -EPROTO;
    if (receiver->slash && frame->type != TRANSFER_DIRECTORY && receiver->depth == 0) {
        const TransferProblem problem = {TRANSFER_STEP_TARGET, ENOENT, receiver->receive->path};
        receiver->receive->report(receiver->receive->data, &problem);
        return -ENOENT;
    }
    return make_entry(receiver, frame, &reader, &meta, name);
}

static int pass_problem(Receiver *receiver, const WireFrame *frame)
{
    TransferProblem problem;
    int result = transfer_get_problem(frame, &problem);
    if (result == 0)
        receiver->receive->report(receiver->receive->data, &problem);
    return result;
}

static int handle_file_frame(Receiver *receiver, const WireFrame *frame)
{
    int result = receiver_file_frame(receiver, frame);
    if (result == 0 && !receiver->file.open)
        path_pop(&receiver->path, receiver->file_path);
    return result;
}

static int handle_frame(Receiver *receiver, const WireFrame *frame)
{
    if (frame->type == TRANSFER_PROBLEM)
        return pass_problem(receiver, frame);
    if (frame->type == TRANSFER_ATTRIBUTE)
        return receiver_attribute(receiver, frame);
    if (receiver->file.open)
        return handle_file_frame(receiver, frame);
    switch ((unsigned)frame->type) {
    case TRANSFER_DIRECTORY:
    case TRANSFER_FILE:
    case TRANSFER_SYMLINK:
    case TRANSFER_LINK:
        return handle_entry(receiver, frame);
    case TRANSFER_LEAVE:
        return frame->size == 0 ? leave_directory(receiver) : -EPROTO;
    default:
        return -EPROTO;
    }
}

/* ---- the whole stream ---- */

static bool goes_on(const Receiver *receiver)
{
    const TransferReceive *receive = receiver->receive;
    return receive->progress == NULL ||
           receive->progress(receive->data, receiver->done, receiver->total);
}

static int receive_all(Receiver *receiver)
{
    WireFrame frame;
    if (receiver->levels == NULL)
        return -ENOMEM;
    int result = transfer_next(&receiver->reader, &frame);
    if (result == 0)
        result = transfer_check_begin(&frame);
    if (result == 0)
        result = open_target(receiver);
    while (result == 0 && (result = transfer_next(&receiver->reader, &frame)) == 0) {
        if (frame.type == TRANSFER_END && !receiver->file.open)
            return receiver->depth == 0 && receiver->skipped == 0 ? 0 : -EPROTO;
        result = goes_on(receiver) ? handle_frame(receiver, &frame) : -ECANCELED;
    }
    return result;
}

static void clear(Receiver *receiver)
{
    transfer_reader_clear(&receiver->reader);
    path_clear(&receiver->path);
    for (uint32_t i = 0; i < receiver->n_links; i++)
        free(receiver->links[i]);
    free(receiver->links);
    free(receiver->levels);
}

int transfer_receive(const TransferReceive *receive)
{
    Receiver receiver = {
        .receive = receive,
        .reader = {.read = receive->read, .data = receive->data},
        .levels = calloc(TRANSFER_DEPTH_MAX + 1, sizeof(ReceiverLevel)),
        .file = {.fd = -1},
    };
    if (receiver.levels != NULL)
        receiver.levels[0].fd = -1;
    int result = receive_all(&receiver);
    if (receiver.levels != NULL)
        receiver_discard_file(&receiver);
    for (unsigned i = 0; receiver.levels != NULL && i <= receiver.depth; i++)
        if (receiver.levels[i].fd >= 0)
            close(receiver.levels[i].fd);
    clear(&receiver);
    return result;
}
