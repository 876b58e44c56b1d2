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
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MARK_BEGIN "[berth " /* of a line of the keeper's own (console.c) */
#define MARK_START " starts\n"

static const Option options[] = {
    {"follow", 'f', NULL, "Show new output until interrupted"},
    {"console", 0, NULL, "Output of the kernel and the init (the default)"},
    {"keeper", 0, NULL, "Messages of berth-keeper, QEMU and helpers since the last start"},
    {"boot", 0, NULL, "The console since the last start or reboot, with times"},
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

/* Where in @line, of @length bytes, the keeper says that the distro starts; or NULL. The guest may
 * have begun the line, and may have written zeros. */
static const char *find_mark(char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        line[i] = line[i] == '\0' ? '?' : line[i];
    return g_str_has_suffix(line, MARK_START) ? g_strrstr(line, MARK_BEGIN) : NULL;
}

/* Seek to the last start in @fd; false, at the beginning of @fd, if there is none. */
static bool seek_start(int fd)
{
    FILE *file = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    off_t at = 0;
    off_t found = -1;
    while (file != NULL && (length = getline(&line, &room, file)) > 0) {
        const char *mark = find_mark(line, (size_t)length);
        found = mark != NULL ? at + (mark - line) : found;
        at += length;
    }
    free(line);
    if (file != NULL)
        fclose(file);
    lseek(fd, MAX(found, 0), SEEK_SET);
    return found >= 0;
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

/* Show @begun (taken), which is the file @path and may be -1, from its offset, and what is added.
 * Run until the distro's directory is deleted, or a signal ends the process. */
static bool follow(const char *path, int begun, GError **error)
{
    berth_autofd int fd = begun;
    berth_autofd int watch = watch_directory(path, error);
    if (watch < 0)
        return false;
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

/* --- which log -------------------------------------------------------------------------------- */

static bool check_options(const Invocation *invocation, GError **error)
{
    static const char *const logs[] = {"console", "keeper", "boot"};
    const char *first = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(logs); i++) {
        if (!invocation_flag(invocation, logs[i]))
            continue;
        if (first != NULL) {
            berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                            "--%s and --%s cannot be used together", first, logs[i]);
            return false;
        }
        first = logs[i];
    }
    return true;
}

/* Print the older file of the log @path as far as it is wanted; *@ret_fd is @path, at the beginning
 * of what is wanted of it, or -1. If @boot, that is all since the last start. */
static bool print_older(const char *path, bool boot, int *ret_fd, GError **error)
{
    g_autofree char *old_path = g_strconcat(path, ".old", NULL);
    if (!boot) {
        *ret_fd = -1;
        return print_file(old_path, error);
    }
    g_autoptr(GError) problem = NULL;
    berth_autofd int old_fd = open_log(old_path, &problem);
    berth_autofd int fd = problem == NULL ? open_log(path, &problem) : -1;
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if ((fd < 0 || !seek_start(fd)) && old_fd >= 0) {
        seek_start(old_fd);
        if (!copy_rest(old_fd, error))
            return false;
    }
    *ret_fd = berth_fd_steal(&fd);
    return true;
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    if (!check_options(invocation, error))
        return -1;
    g_autofree char *path =
        invocation_flag(invocation, "keeper")
            ? berth_keeper_log_path(invocation->berth, invocation->subject, error)
            : berth_log_path(invocation->berth, invocation->subject, error);
    berth_autofd int fd = -1;
    if (path == NULL || !print_older(path, invocation_flag(invocation, "boot"), &fd, error))
        return -1;
    if (invocation_flag(invocation, "follow"))
        return follow(path, berth_fd_steal(&fd), error) ? 0 : -1;
    return (fd >= 0 ? copy_rest(fd, error) : print_file(path, error)) ? 0 : -1;
}

const Command command_logs = {
    .name = "logs",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "Show the log of a distro's console",
    .details = "Lines that begin with [berth come from berth: starts, their stages and problems.\n"
               "If the log no longer contains the last start (see the setting log-size), --boot\n"
               "prints the whole log. \"berth report\" makes a copy without private data.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
