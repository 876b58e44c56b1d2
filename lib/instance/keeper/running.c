/* SPDX-License-Identifier: MIT */
#include "running.h"

#include "base/fd.h"
#include "model/machine.h"

#include <glib-unix.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define LOCK    "lock"
#define MACHINE "machine.conf"

/* One distro. */
typedef struct {
    BerthRunning *all;
    char *id;      /* of the distro: the name of its directory */
    int directory; /* watch: a lock file appears */
    int lock;      /* watch: the pid is written to the lock; -1: none */
    guint slot;    /* while it runs, else 0 */
    int pidfd;
    GSource *exit;
} Member;

struct BerthRunning {
    char *runtime_dir;
    BerthRunningChange on_change;
    gpointer user_data;
    int watch_fd;
    GSource *watch;
    int root;            /* watch: a directory appears */
    GHashTable *members; /* id -> Member*, owned */
};

static void drop_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static GSource *add_source(int fd, GUnixFDSourceFunc func, gpointer data)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(func), data, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

/* --- one distro --- */

static void stop(Member *member)
{
    drop_source(&member->exit);
    berth_fd_close(&member->pidfd);
    guint slot = member->slot;
    member->slot = 0;
    if (slot != 0)
        member->all->on_change(slot, "", member->all->user_data);
}

static void free_member(gpointer data)
{
    Member *member = data;
    stop(member);
    inotify_rm_watch(member->all->watch_fd, member->directory);
    inotify_rm_watch(member->all->watch_fd, member->lock);
    g_free(member->id);
    g_free(member);
}

static char *path_of(const Member *member, const char *name)
{
    return g_build_filename(member->all->runtime_dir, member->id, name, NULL);
}

/* A stale lock may hold a pid that another process has by now: check the directory in the process's
 * arguments. */
static bool is_its_keeper(const Member *member, pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    g_autofree char *line = NULL;
    gsize size;
    if (!g_file_get_contents(path, &line, &size, NULL))
        return false;
    gsize first = strlen(line) + 1;
    if (first >= size)
        return false;
    g_autofree char *id = g_path_get_basename(line + first);
    return strcmp(id, member->id) == 0;
}

/* A pidfd; -1 when no keeper runs. */
static int open_keeper(const Member *member)
{
    g_autofree char *path = path_of(member, LOCK);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return -1;
    pid_t pid = atoi(text);
    berth_autofd int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    return pidfd >= 0 && is_its_keeper(member, pid) ? berth_fd_steal(&pidfd) : -1;
}

static gboolean on_exit_of_keeper(gint fd, GIOCondition condition, gpointer user_data)
{
    stop(user_data);
    return G_SOURCE_REMOVE;
}

static void refresh(Member *member)
{
    g_autofree char *path = path_of(member, MACHINE);
    guint slot = 0;
    berth_autofd int pidfd = open_keeper(member);
    g_autofree char *name = pidfd >= 0 ? berth_machine_read_name(path, &slot) : NULL;
    if (name == NULL || slot == 0)
        return;

    if (member->slot != 0)
        stop(member); /* of the former keeper */
    member->pidfd = berth_fd_steal(&pidfd);
    member->exit = add_source(member->pidfd, on_exit_of_keeper, member);
    member->slot = slot;
    member->all->on_change(member->slot, name, member->all->user_data);
}

static void watch_lock(Member *member)
{
    g_autofree char *path = path_of(member, LOCK);
    member->lock = inotify_add_watch(member->all->watch_fd, path, IN_MODIFY);
    refresh(member);
}

static void add_member(BerthRunning *all, const char *id)
{
    g_autofree char *path = g_build_filename(all->runtime_dir, id, NULL);
    g_hash_table_remove(all->members, id); /* first: inotify would return the same watches */
    int watch = inotify_add_watch(all->watch_fd, path, IN_CREATE | IN_ONLYDIR);
    if (watch < 0)
        return; /* not a directory, or removed meanwhile */
    Member *member = g_new(Member, 1);
    *member = (Member){.all = all, .id = g_strdup(id), .directory = watch, .lock = -1, .pidfd = -1};
    g_hash_table_insert(all->members, member->id, member);
    watch_lock(member);
}

/* --- all distros --- */

static void scan(BerthRunning *all)
{
    g_autoptr(GDir) directory = g_dir_open(all->runtime_dir, 0, NULL);
    const char *id;
    while (directory != NULL && (id = g_dir_read_name(directory)) != NULL)
        add_member(all, id);
}

static Member *find_by_watch(const BerthRunning *all, int watch)
{
    GHashTableIter iter;
    gpointer each;
    g_hash_table_iter_init(&iter, all->members);
    while (g_hash_table_iter_next(&iter, NULL, &each))
        if (((Member *)each)->directory == watch || ((Member *)each)->lock == watch)
            return each;
    return NULL;
}

static void handle_event(BerthRunning *all, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        g_hash_table_remove_all(all->members);
        scan(all);
        return;
    }
    if (event->wd == all->root) {
        if (event->len > 0)
            add_member(all, event->name);
        return;
    }
    Member *member = find_by_watch(all, event->wd);
    if (member == NULL)
        return;
    if ((event->mask & IN_IGNORED) != 0 && event->wd == member->directory)
        g_hash_table_remove(all->members, member->id);
    else if (event->wd == member->lock && (event->mask & IN_MODIFY) != 0)
        refresh(member);
    else if (event->len > 0 && strcmp(event->name, LOCK) == 0)
        watch_lock(member);
}

static gboolean on_events(gint fd, GIOCondition condition, gpointer user_data)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } buffer;
    ssize_t size = read(fd, buffer.bytes, sizeof(buffer.bytes));
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= size;) {
        const struct inotify_event *event = (const void *)(buffer.bytes + at);
        handle_event(user_data, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return G_SOURCE_CONTINUE;
}

BerthRunning *berth_running_new(const char *runtime_dir, BerthRunningChange on_change,
                                gpointer user_data)
{
    BerthRunning *all = g_new0(BerthRunning, 1);
    all->runtime_dir = g_strdup(runtime_dir);
    all->on_change = on_change;
    all->user_data = user_data;
    all->members = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_member);
    all->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (all->watch_fd < 0)
        return all; /* without inotify: no names */
    all->root = inotify_add_watch(all->watch_fd, runtime_dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    all->watch = add_source(all->watch_fd, on_events, all);
    scan(all);
    return all;
}

static void ignore_change(guint slot, const char *name, gpointer user_data)
{
}

void berth_running_free(BerthRunning *running)
{
    if (running == NULL)
        return;
    running->on_change = ignore_change;
    drop_source(&running->watch);
    g_hash_table_unref(running->members);
    berth_fd_close(&running->watch_fd);
    g_free(running->runtime_dir);
    g_free(running);
}
