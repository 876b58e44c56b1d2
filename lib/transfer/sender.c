/* SPDX-License-Identifier: MIT */
#include "sender_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sender_report(Sender *sender, TransferStep step, int error)
{
    const TransferProblem problem = {step, error, path_text(&sender->path)};
    if (sender->send->report == NULL)
        return transfer_put_problem(&sender->writer, &problem);
    sender->send->report(sender->send->data, &problem);
    return 0;
}

/* ---- kinds of entries ---- */

static int put_symlink(Sender *sender, const SenderEntry *entry, const struct stat *info)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(entry->directory, entry->name, target, sizeof(target) - 1);
    if (size < 0)
        return sender_report(sender, TRANSFER_STEP_READ, errno);
    target[size] = '\0';
    size_t begin = transfer_begin(&sender->writer, TRANSFER_SYMLINK);
    transfer_put_meta(&sender->writer, info);
    wire_put_string(&sender->writer.buffer, entry->sent);
    wire_put_string(&sender->writer.buffer, target);
    return transfer_end(&sender->writer, begin);
}

static int put_special(Sender *sender, const SenderEntry *entry, const struct stat *info)
{
    return sender_report(sender, sender->depth > 0 ? TRANSFER_STEP_SKIPPED : TRANSFER_STEP_SPECIAL,
                         0);
}

/* Takes @fd: it becomes the level whose entries come next. */
static int enter(Sender *sender, const SenderEntry *entry, int fd, const struct stat *info)
{
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        close(fd);
        return -ENOMEM;
    }
    sender->levels[sender->depth++].stream = stream;
    size_t begin = transfer_begin(&sender->writer, TRANSFER_DIRECTORY);
    transfer_put_meta(&sender->writer, info);
    wire_put_string(&sender->writer.buffer, entry->sent);
    int result = transfer_end(&sender->writer, begin);
    return result < 0 ? result : sender_put_attributes(sender, fd);
}

static int put_directory(Sender *sender, const SenderEntry *entry, const struct stat *info)
{
    if (!sender->send->recursive)
        return sender_report(sender, TRANSFER_STEP_DIRECTORY, 0);
    if (sender->depth >= TRANSFER_DEPTH_MAX)
        return sender_report(sender, TRANSFER_STEP_DEPTH, 0);
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (entry->follow ? 0 : O_NOFOLLOW);
    int fd = openat(entry->directory, entry->name, flags);
    if (fd < 0)
        return sender_report(sender, TRANSFER_STEP_OPEN, errno);
    return enter(sender, entry, fd, info);
}

static int put_entry(Sender *sender, const SenderEntry *entry)
{
    struct stat info;
    int flags = entry->follow ? 0 : AT_SYMLINK_NOFOLLOW;
    if (fstatat(entry->directory, entry->name, &info, flags) < 0)
        return sender_report(sender, TRANSFER_STEP_OPEN, errno);
    if (S_ISREG(info.st_mode)) {
        sender->total = sender->depth == 0 ? (uint64_t)info.st_size : 0;
        return sender_put_file(sender, entry, &info);
    }
    if (S_ISDIR(info.st_mode))
        return put_directory(sender, entry, &info);
    return S_ISLNK(info.st_mode) ? put_symlink(sender, entry, &info)
                                 : put_special(sender, entry, &info);
}

/* ---- the walk ---- */

/* Put an entry under its @name in the path; a directory's stays there while it is read. */
static int put_named(Sender *sender, const SenderEntry *entry, const char *name)
{
    unsigned depth = sender->depth;
    size_t before = path_push(&sender->path, name);
    int result = put_entry(sender, entry);
    if (sender->depth > depth)
        sender->levels[depth].path_length = before;
    else
        path_pop(&sender->path, before);
    return result;
}

static int leave(Sender *sender)
{
    SenderLevel *level = &sender->levels[--sender->depth];
    closedir(level->stream);
    path_pop(&sender->path, level->path_length);
    return transfer_put(&sender->writer, TRANSFER_LEAVE);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The next entry of the innermost directory. */
static int step(Sender *sender)
{
    DIR *stream = sender->levels[sender->depth - 1].stream;
    errno = 0;
    const struct dirent *found = readdir(stream);
    if (found == NULL) {
        int result = errno != 0 ? sender_report(sender, TRANSFER_STEP_READ, errno) : 0;
        return result < 0 ? result : leave(sender);
    }
    if (is_dot(found->d_name))
        return 0;
    const TransferSend *send = sender->send;
    if (send->progress != NULL && !send->progress(send->data, sender->done, sender->total))
        return -ECANCELED;
    const SenderEntry entry = {dirfd(stream), found->d_name, found->d_name, false};
    return put_named(sender, &entry, found->d_name);
}

/* The stream's name for the last component of @path: "." for "/", "." and "..". Writes to @name, of
 * NAME_MAX + 1 bytes. */
static const char *name_of(const char *path, char *name)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    size_t length = end - start < NAME_MAX ? end - start : NAME_MAX;
    memcpy(name, path + start, length);
    name[length] = '\0';
    return length == 0 || is_dot(name) ? "." : name;
}

static int put_path(Sender *sender, const char *path)
{
    char name[NAME_MAX + 1];
    size_t length = strlen(path);
    bool slash = length > 0 && path[length - 1] == '/';
    const SenderEntry entry = {AT_FDCWD, path, name_of(path, name),
                               !sender->send->recursive || slash};
    int result = put_named(sender, &entry, path);
    while (result == 0 && sender->depth > 0)
        result = step(sender);
    return result;
}

static int put_all(Sender *sender)
{
    if (sender->levels == NULL || sender->names == NULL || sender->value == NULL)
        return -ENOMEM;
    int result = transfer_put_begin(&sender->writer);
    for (char *const *path = sender->send->paths; result == 0 && *path != NULL; path++)
        result = put_path(sender, *path);
    if (result == 0)
        result = transfer_put(&sender->writer, TRANSFER_END);
    return result < 0 ? result : transfer_flush(&sender->writer);
}

int transfer_send(const TransferSend *send)
{
    Sender sender = {
        .send = send,
        .writer = {.write = send->write, .data = send->data},
        .levels = calloc(TRANSFER_DEPTH_MAX, sizeof(SenderLevel)),
        .names = malloc(TRANSFER_NAMES_SIZE),
        .value = malloc(WIRE_PAYLOAD_MAX),
    };
    int result = put_all(&sender);
    while (sender.depth > 0)
        closedir(sender.levels[--sender.depth].stream);
    transfer_writer_clear(&sender.writer);
    links_clear(&sender.links);
    path_clear(&sender.path);
    free(sender.levels);
    free(sender.names);
    free(sender.value);
    return result;
}
