/* SPDX-License-Identifier: MIT
 *
 * berth logs — shows a distro's console: kernel, boot, power-off. The log is two files, PATH.old
 * and then PATH (lib/instance/keeper/console.h); when PATH is full it becomes PATH.old.
 */
#include "commands.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

static const Option options[] = {
    {"follow", 'f', NULL, "Show new output as it comes, until interrupted"},
    {"console", 0, NULL, "What its kernel and its init wrote, which is the default"},
    {"keeper", 0, NULL, "What berth-keeper, QEMU and their helpers reported since the last start"},
    {NULL},
};

/* Copy @fd to standard output until its end. */
static bool copy_rest(int fd, GError **error)
{
    char block[16384];
    ssize_t size;
    while ((size = read(fd, block, sizeof(block))) > 0) {
        if (berth_fd_write_all(STDOUT_FILENO, block, (gsize)size) == 0)
            continue;
        berth_error_set_errno(error, errno, "output", "standard output");
        return false;
    }
    if (size == 0)
        return true;
    berth_error_set_errno(error, errno, "logs", "read");
    return false;
}

/* Open @path, or return -1; a missing file is not an error. */
static int open_log(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        berth_error_set_errno(error, errno, "logs", "%s", path);
    return fd;
}

static bool print_file(const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = open_log(path, &problem);
    if (fd >= 0)
        return copy_rest(fd, error);
    if (problem == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* Show what was appended; if the log was rotated, the rest of the old file, then the new one. */
static bool show_added(const char *path, int *fd, GError **error)
{
    if (*fd >= 0 && !copy_rest(*fd, error))
        return false;
    if (*fd >= 0 && berth_fd_is_path(*fd, path))
        return true;
    if (*fd >= 0 && !copy_rest(*fd, error)) /* appended between the read and the stat */
        return false;

    g_autoptr(GError) problem = NULL;
    berth_fd_close(fd);
    *fd = open_log(path, &problem);
    if (*fd >= 0)
        return copy_rest(*fd, error);
    if (problem == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* Watch the directory, and deletions in it: inotify reports IN_DELETE_SELF only after the last open
 * file is closed, so the log must be closed when it is deleted. */
static int watch_directory(const char *path, GError **error)
{
    const guint32 events = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF;
    g_autofree char *directory = g_path_get_dirname(path);
    berth_autofd int watch = inotify_init1(IN_CLOEXEC);
    if (watch >= 0 && inotify_add_watch(watch, directory, events) >= 0)
        return berth_fd_steal(&watch);
    berth_error_set_errno(error, errno, "logs", "%s", directory);
    return -1;
}

/* Run until the distro's directory is deleted, or a signal ends the process. */
static bool follow(const char *path, GError **error)
{
    berth_autofd int watch = watch_directory(path, error);
    if (watch < 0)
        return false;
    berth_autofd int fd = -1;
    g_autofree char *directory = g_path_get_dirname(path);
    for (;;) {
        char events[4096];
        if (!show_added(path, &fd, error))
            return false;
        if (access(directory, F_OK) != 0)
            return true;
        if (read(watch, events, sizeof(events)) <= 0 && errno != EINTR)
            return true;
    }
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    bool keeper = invocation_flag(invocation, "keeper");
    if (keeper && invocation_flag(invocation, "console")) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                        "--console and --keeper cannot be used together");
        return -1;
    }
    g_autofree char *path =
        keeper ? berth_keeper_log_path(invocation->berth, invocation->subject, error)
               : berth_log_path(invocation->berth, invocation->subject, error);
    if (path == NULL)
        return -1;
    g_autofree char *old = g_strconcat(path, ".old", NULL);
    if (!print_file(old, error))
        return -1;
    bool ok = invocation_flag(invocation, "follow") ? follow(path, error) : print_file(path, error);
    return ok ? 0 : -1;
}

const Command command_logs = {
    .name = "logs",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "Show what a distro wrote on its console",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
