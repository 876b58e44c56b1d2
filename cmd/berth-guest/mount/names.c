/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Record what @call, as a system call returns it, has made of @name in @fd, which is closed. */
static int answer_made(Request *request, int fd, const char *name, int call)
{
    int result = call < 0 ? -errno : 0;
    struct fuse_entry_out *entry = (struct fuse_entry_out *)request->answer;
    if (result == 0)
        result = attributes_enter(request->header->nodeid, fd, name, entry);
    close(fd);
    return result < 0 ? result : (int)sizeof(*entry);
}

static int answer_done(int fd, int call)
{
    int result = call < 0 ? -errno : 0;
    close(fd);
    return result;
}

/* Open the request's directory if the request has @name. */
static int open_directory(const Request *request, const char *name)
{
    return name != NULL ? node_open(request->header->nodeid) : -EINVAL;
}

int serve_lookup(Request *request)
{
    const char *name = request_take_name(request);
    int fd = open_directory(request, name);
    return fd < 0 ? fd : answer_made(request, fd, name, 0);
}

int serve_forget(Request *request)
{
    const struct fuse_forget_in *in = request_take(request, sizeof(*in));
    if (in != NULL)
        node_forget(request->header->nodeid, in->nlookup);
    return REQUEST_NO_ANSWER;
}

int serve_forget_many(Request *request)
{
    const struct fuse_batch_forget_in *in = request_take(request, sizeof(*in));
    const struct fuse_forget_one *one = NULL;
    for (uint32_t i = 0; in != NULL && i < in->count; i++)
        if ((one = request_take(request, sizeof(*one))) != NULL)
            node_forget(one->nodeid, one->nlookup);
    return REQUEST_NO_ANSWER;
}

int serve_mknod(Request *request)
{
    const struct fuse_mknod_in *in = request_take(request, sizeof(*in));
    const char *name = in != NULL ? request_take_name(request) : NULL;
    int fd = open_directory(request, name);
    return fd < 0 ? fd : answer_made(request, fd, name, mknodat(fd, name, in->mode, in->rdev));
}

int serve_mkdir(Request *request)
{
    const struct fuse_mkdir_in *in = request_take(request, sizeof(*in));
    const char *name = in != NULL ? request_take_name(request) : NULL;
    int fd = open_directory(request, name);
    return fd < 0 ? fd : answer_made(request, fd, name, mkdirat(fd, name, in->mode));
}

int serve_symlink(Request *request)
{
    const char *name = request_take_name(request);
    const char *target = name != NULL ? request_take_text(request) : NULL;
    int fd = target != NULL ? open_directory(request, name) : -EINVAL;
    return fd < 0 ? fd : answer_made(request, fd, name, symlinkat(target, fd, name));
}

int serve_link(Request *request)
{
    char path[ATTRIBUTES_PATH];
    const struct fuse_link_in *in = request_take(request, sizeof(*in));
    const char *name = in != NULL ? request_take_name(request) : NULL;
    int file = name != NULL ? node_open(in->oldnodeid) : -EINVAL;
    int fd = file >= 0 ? open_directory(request, name) : file;
    int result = fd;
    if (fd >= 0) {
        attributes_path(file, path);
        result =
            answer_made(request, fd, name, linkat(AT_FDCWD, path, fd, name, AT_SYMLINK_FOLLOW));
    }
    if (file >= 0)
        close(file);
    return result;
}

int serve_unlink(Request *request)
{
    const char *name = request_take_name(request);
    int fd = open_directory(request, name);
    return fd < 0 ? fd : answer_done(fd, unlinkat(fd, name, 0));
}

int serve_rmdir(Request *request)
{
    const char *name = request_take_name(request);
    int fd = open_directory(request, name);
    return fd < 0 ? fd : answer_done(fd, unlinkat(fd, name, AT_REMOVEDIR));
}

/* ---- rename ---- */

/* Record where the file @name in @parent, open as @fd, is now. */
static void follow(uint64_t parent, int fd, const char *name)
{
    struct statx info;
    if (attributes_read(fd, name, &info) == 0)
        node_moved(parent, name, &info);
}

static int rename_to(Request *request, uint64_t new_parent, uint32_t flags)
{
    const char *from = request_take_name(request);
    const char *to = from != NULL ? request_take_name(request) : NULL;
    int new_fd = to != NULL ? node_open(new_parent) : -EINVAL;
    int fd = new_fd >= 0 ? open_directory(request, from) : new_fd;
    int result = fd;
    if (fd >= 0) {
        result = syscall(SYS_renameat2, fd, from, new_fd, to, flags) < 0 ? -errno : 0;
        if (result == 0)
            follow(new_parent, new_fd, to);
        if (result == 0 && (flags & RENAME_EXCHANGE) != 0)
            follow(request->header->nodeid, fd, from);
        close(fd);
    }
    if (new_fd >= 0)
        close(new_fd);
    return result;
}

int serve_rename(Request *request)
{
    const struct fuse_rename_in *in = request_take(request, sizeof(*in));
    return in != NULL ? rename_to(request, in->newdir, 0) : -EINVAL;
}

int serve_rename2(Request *request)
{
    const struct fuse_rename2_in *in = request_take(request, sizeof(*in));
    return in != NULL ? rename_to(request, in->newdir, in->flags) : -EINVAL;
}

/* ---- create ---- */

static int open_new(int fd, const char *name, const struct fuse_create_in *in)
{
    int flags = (int)in->flags & (O_ACCMODE | O_EXCL | O_TRUNC);
    int opened = openat(fd, name, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, in->mode);
    return opened < 0 ? -errno : opened;
}

int serve_create(Request *request)
{
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } *answer = (void *)request->answer;
    const struct fuse_create_in *in = request_take(request, sizeof(*in));
    const char *name = in != NULL ? request_take_name(request) : NULL;
    int fd = open_directory(request, name);
    if (fd < 0)
        return fd;
    int opened = open_new(fd, name, in);
    if (opened < 0)
        return answer_done(fd, (errno = -opened, -1));
    int result = answer_made(request, fd, name, 0);
    if (result < 0) {
        close(opened);
        return result;
    }
    answer->open = (struct fuse_open_out){.fh = handle_add(answer->entry.nodeid, opened)};
    return answer->open.fh != 0 ? (int)sizeof(*answer) : -ENOMEM;
}
