/* SPDX-License-Identifier: MIT
 *
 * A directory that moves away takes the paths of all watches in it along. The watcher then stops,
 * and begins anew at the next question: its answer is "everything" once.
 */
#include "watcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |              \
     IN_MOVED_TO | IN_ONLYDIR)
#define BUFFER_SIZE 65536u
#define TRIES       3
#define WATCHES_MAX (1u << 20) /* numbers of watches: the kernel never reuses them */
#define GIT_DIR     ".git"

/* linux/magic.h of older kernels has not all of them. */
#define FUSE_MAGIC 0x65735546
#define ZFS_MAGIC  0x2fc12fc1

/* ---- lists of paths ---- */

static bool append(PathList *list, const char *path)
{
    size_t count = list->count;
    if ((count & (count - 1)) == 0) { /* it may be full at each power of two */
        char **grown = realloc(list->paths, (count == 0 ? 1 : 2 * count) * sizeof(char *));
        if (grown == NULL)
            return false;
        list->paths = grown;
    }
    list->paths[count] = strdup(path);
    list->count += list->paths[count] != NULL;
    return list->count > count;
}

static void clear(PathList *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (PathList){0};
}

static char *join(const char *directory, const char *name)
{
    char *path;
    return asprintf(&path, "%s%s%s", directory, directory[0] != '\0' ? "/" : "", name) < 0 ? NULL
                                                                                           : path;
}

/* ---- the state ---- */

static void stop(Watcher *watcher)
{
    if (watcher->inotify >= 0)
        close(watcher->inotify);
    watcher->inotify = -1;
    clear(&watcher->watches);
    clear(&watcher->unseen);
    clear(&watcher->pending);
}

static void give_up(Watcher *watcher, int problem)
{
    stop(watcher);
    watcher->problem = problem;
}

static bool is_local(long type)
{
    static const long types[] = {EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                 TMPFS_MAGIC,      F2FS_SUPER_MAGIC,  OVERLAYFS_SUPER_MAGIC,
                                 ZFS_MAGIC};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (type == types[i])
            return true;
    return false;
}

bool watcher_init(Watcher *watcher, int root)
{
    struct statfs system;
    struct stat info;
    *watcher = (Watcher){.root = root, .inotify = -1};
    if (fstatfs(root, &system) < 0 || fstat(root, &info) < 0)
        return false;
    watcher->device = info.st_dev;
    watcher->on_share = system.f_type == FUSE_MAGIC;
    return watcher->on_share
               ? fgetxattr(root, WIRE_SETTLE_ATTRIBUTE, NULL, 0) == (ssize_t)sizeof(WireSettle)
               : is_local(system.f_type);
}

/* Wait until all changes so far have raised their events. False: the file system cannot say. */
static bool settle(const Watcher *watcher, WireSettle *ret_settled)
{
    *ret_settled = (WireSettle){0};
    if (!watcher->on_share)
        return true; /* the kernel has queued them before each call returned */
    for (int i = 0; i < TRIES; i++) {
        ssize_t size =
            fgetxattr(watcher->root, WIRE_SETTLE_ATTRIBUTE, ret_settled, sizeof(*ret_settled));
        if (size == (ssize_t)sizeof(*ret_settled))
            return true;
        if (size >= 0 || (errno != EAGAIN && errno != EINTR))
            return false;
    }
    return false;
}

/* ---- scanning ---- */

static void expect(Watcher *watcher, PathList *list, const char *path)
{
    if (path == NULL || !append(list, path))
        give_up(watcher, -ENOMEM);
}

static void add_unseen(Watcher *watcher, const char *path)
{
    for (size_t i = 0; i < watcher->unseen.count; i++)
        if (strcmp(watcher->unseen.paths[i], path) == 0)
            return;
    expect(watcher, &watcher->unseen, path);
}

/* git leaves out a directory that it cannot read; a change of its attributes may end that. */
static void add_unreadable(Watcher *watcher, const char *path)
{
    char *cone = NULL;
    add_unseen(watcher, path);
    if (asprintf(&cone, "%s/", path) >= 0)
        add_unseen(watcher, cone);
    free(cone);
}

static bool set_path(Watcher *watcher, int watch, const char *path)
{
    size_t at = (size_t)watch;
    if (at >= WATCHES_MAX)
        return false;
    if (at >= watcher->watches.count) {
        size_t room = at + at / 2 + 64;
        char **grown = realloc(watcher->watches.paths, room * sizeof(char *));
        if (grown == NULL)
            return false;
        memset(grown + watcher->watches.count, 0, (room - watcher->watches.count) * sizeof(char *));
        watcher->watches.paths = grown;
        watcher->watches.count = room;
    }
    free(watcher->watches.paths[at]);
    watcher->watches.paths[at] = strdup(path);
    return watcher->watches.paths[at] != NULL;
}

/* Watch the directory @fd at @path. 1: it was watched already. -errno. */
static int watch(Watcher *watcher, int fd, const char *path)
{
    char link[32];
    struct stat info;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fstat(fd, &info) < 0)
        return -errno;
    if (info.st_dev != watcher->device)
        return -EXDEV;
    int number = inotify_add_watch(watcher->inotify, link, EVENTS);
    if (number < 0)
        return errno == EACCES ? -EACCES : -ENOSPC; /* the limit, or no /proc */
    if ((size_t)number < watcher->watches.count && watcher->watches.paths[number] != NULL &&
        strcmp(watcher->watches.paths[number], path) == 0)
        return 1;
    return set_path(watcher, number, path) ? 0 : -ENOMEM;
}

static bool is_directory(int fd, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

static void scan_entry(Watcher *watcher, int fd, const char *directory, const struct dirent *entry,
                       bool reports)
{
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return;
    if (strcmp(entry->d_name, GIT_DIR) == 0) {
        if (directory[0] != '\0')
            add_unseen(watcher, directory);
        return;
    }
    char *path = join(directory, entry->d_name);
    if (path != NULL && reports)
        journal_add(&watcher->journal, path);
    if (path == NULL || is_directory(fd, entry))
        expect(watcher, &watcher->pending, path);
    free(path);
}

static void scan_entries(Watcher *watcher, int fd, const char *path, bool reports)
{
    const struct dirent *entry;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        close(fd);
        give_up(watcher, -ENOMEM);
        return;
    }
    errno = 0;
    while (watcher->inotify >= 0 && (entry = readdir(directory)) != NULL) {
        scan_entry(watcher, fd, path, entry, reports);
        errno = 0;
    }
    if (watcher->inotify >= 0 && errno != 0 && errno != ENOENT)
        stop(watcher);
    closedir(directory);
}

/* Watch and read the directory @path; its directories are pending then. */
static void scan_one(Watcher *watcher, const char *path, bool reports)
{
    int fd = openat(watcher->root, path[0] != '\0' ? path : ".",
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int result = fd < 0 ? -errno : watch(watcher, fd, path);
    if (result == 0) {
        scan_entries(watcher, fd, path, reports);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (result == -EACCES || result == -EPERM)
        add_unreadable(watcher, path);
    else if (result == -ESTALE || result == -EIO)
        stop(watcher); /* the host has replaced it, or another server begins */
    else if (result < 0 && result != -ENOENT && result != -ENOTDIR && result != -ELOOP)
        give_up(watcher, result);
}

/* @reports: each path that is found is a change. */
static void scan(Watcher *watcher, const char *path, bool reports)
{
    expect(watcher, &watcher->pending, path);
    while (watcher->pending.count > 0) {
        char *next = watcher->pending.paths[--watcher->pending.count];
        scan_one(watcher, next, reports);
        free(next);
    }
}

/* Watch everything, with a new journal. */
static void begin(Watcher *watcher)
{
    stop(watcher);
    watcher->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watcher->inotify < 0 || !journal_begin(&watcher->journal))
        give_up(watcher, watcher->inotify < 0 ? -errno : -EIO);
    else
        scan(watcher, "", false);
}

/* ---- events ---- */

static void on_name(Watcher *watcher, const char *directory, const struct inotify_event *event)
{
    if (strcmp(event->name, GIT_DIR) == 0) {
        if (directory[0] != '\0')
            add_unseen(watcher, directory);
        return;
    }
    char *path = join(directory, event->name);
    if (path == NULL) {
        give_up(watcher, -ENOMEM);
        return;
    }
    journal_add(&watcher->journal, path);
    if ((event->mask & IN_ISDIR) != 0 && (event->mask & IN_MOVED_FROM) != 0)
        stop(watcher);
    else if ((event->mask & IN_ISDIR) != 0 && (event->mask & IN_DELETE) == 0)
        scan(watcher, path, true);
    free(path);
}

static void on_event(Watcher *watcher, const struct inotify_event *event)
{
    size_t at = (size_t)event->wd;
    if ((event->mask & (IN_Q_OVERFLOW | IN_UNMOUNT)) != 0) {
        stop(watcher);
        return;
    }
    if (at >= watcher->watches.count || watcher->watches.paths[at] == NULL)
        return;
    if ((event->mask & IN_IGNORED) != 0 && watcher->watches.paths[at][0] == '\0') {
        stop(watcher);
        return;
    }
    if ((event->mask & IN_IGNORED) != 0) {
        free(watcher->watches.paths[at]);
        watcher->watches.paths[at] = NULL;
        return;
    }
    if (event->len == 0)
        return;
    char *directory = strdup(watcher->watches.paths[at]); /* a scan may move the table */
    if (directory != NULL)
        on_name(watcher, directory, event);
    else
        give_up(watcher, -ENOMEM);
    free(directory);
}

void watcher_read(Watcher *watcher)
{
    static char buffer[BUFFER_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
    const ssize_t one = (ssize_t)sizeof(struct inotify_event) + NAME_MAX + 1;
    ssize_t size = (ssize_t)sizeof(buffer);
    /* a read that leaves room for one more event has emptied the queue */
    while (watcher->inotify >= 0 && size > (ssize_t)sizeof(buffer) - one) {
        size = read(watcher->inotify, buffer, sizeof(buffer));
        for (ssize_t at = 0; at < size && watcher->inotify >= 0;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            at += (ssize_t)(sizeof(*event) + event->len);
            on_event(watcher, event);
        }
    }
}

/* ---- answers ---- */

void watcher_answer_everything(FILE *to)
{
    fwrite("berth:none\0/", 1, sizeof("berth:none\0/"), to);
}

/* Have all changes so far in the journal. False: try again, or give up. */
static bool catch_up(Watcher *watcher)
{
    WireSettle now;
    if (watcher->inotify < 0) {
        if (!settle(watcher, &watcher->settled))
            return false;
        begin(watcher);
    }
    if (watcher->problem != 0 || !settle(watcher, &now))
        return false;
    if (memcmp(&now, &watcher->settled, sizeof(now)) != 0)
        stop(watcher);
    watcher_read(watcher);
    return watcher->inotify >= 0;
}

void watcher_answer(Watcher *watcher, const char *token, FILE *to)
{
    bool ready = false;
    for (int i = 0; i < TRIES && !ready && watcher->problem == 0; i++)
        ready = catch_up(watcher);
    if (!ready) {
        if (watcher->problem == 0)
            give_up(watcher, -EAGAIN);
        watcher_answer_everything(to);
        return;
    }
    journal_answer(&watcher->journal, token, to);
    for (size_t i = 0; i < watcher->unseen.count; i++)
        fwrite(watcher->unseen.paths[i], 1, strlen(watcher->unseen.paths[i]) + 1, to);
}
