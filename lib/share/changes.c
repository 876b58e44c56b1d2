/* SPDX-License-Identifier: MIT
 *
 * Invalidates the guest's caches when files change on the host.
 *
 * A directory is watched before the first reply about an entry of it, so that each change of what
 * the guest caches causes an event. An event only says where to look, for the file may have changed
 * again: the present state is read and compared with the node. Events of the guest's own changes
 * (echo.c) invalidate less.
 *
 * The guest's kernel resolves the races: while a request for a page or a name is in flight it holds
 * a lock that the invalidation waits for. A reply that was out of date when it was sent is dropped
 * by the invalidation after it. Source: fs/fuse/inode.c, dir.c.
 */
#include "share_private.h"

#include "base/fd.h"
#include "layer.h"
#include "overlay/review.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EVENTS      (SHARE_ENTRIES | DATA | IN_ATTRIB | IN_ONLYDIR)
#define DATA        (IN_MODIFY | IN_CLOSE_WRITE)
#define BUFFER_SIZE 65536u

/* Half of what a kernel gives a user at least: his programs on the host need watches too. */
#define WATCHES_AHEAD_MAX 4096u

void share_watch(Share *share, guint64 id, int fd)
{
    char path[BERTH_FD_PATH_SIZE];
    bool has_layer = share_layer_has(share, id);
    berth_autofd int lower = has_layer ? share_layer_lower(share, id) : -1;
    if (has_layer && lower < 0)
        return; /* the host has no such directory */
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node == NULL || node->watch >= 0)
        return;
    berth_fd_self_path(has_layer ? lower : fd, path);
    int watch = inotify_add_watch(share->inotify, path, EVENTS);
    if (watch < 0) {
        g_atomic_int_inc(&share->lost);
        return; /* no more watches: the caches have a limit of time */
    }
    berth_nodes_set_watch(share->nodes, id, watch);
    g_hash_table_insert(share->watches, GINT_TO_POINTER(watch), GSIZE_TO_POINTER(id));
}

void share_watch_ahead(Share *share, guint64 id, int parent_fd, const char *name,
                       const ShareFile *file)
{
    ShareFile found = {0};
    if (!S_ISDIR(file->attributes.st_mode))
        return;
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    bool wanted =
        node != NULL && node->watch < 0 && g_hash_table_size(share->watches) < WATCHES_AHEAD_MAX;
    g_mutex_unlock(&share->lock);
    if (!wanted)
        return;
    if (share_layer_has(share, id)) {
        share_watch(share, id, -1);
        return;
    }
    berth_autofd int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && share_stat(share, fd, "", &found) == 0 &&
        berth_node_key_equal(&found.key, &file->key))
        share_watch(share, id, fd);
}

void share_unwatch(const BerthNode *node, gpointer user_data)
{
    Share *share = user_data;
    if (node->watch < 0)
        return;
    g_hash_table_remove(share->watches, GINT_TO_POINTER(node->watch));
    inotify_rm_watch(share->inotify, node->watch);
}

/* The guest's node @name in @parent, with its key; BERTH_NODE_NONE: it holds none. */
static guint64 find_child(Share *share, guint64 parent, const char *name, BerthNodeKey *ret_key)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    if (id != BERTH_NODE_NONE)
        *ret_key = berth_nodes_get(share->nodes, id)->key;
    return id;
}

void share_forget_attributes(Share *share, guint64 id)
{
    fuse_lowlevel_notify_inval_inode(share->session, id, -1, 0);
    berth_transport_flush(share->transport);
}

void share_forget_data(Share *share, guint64 id)
{
    fuse_lowlevel_notify_inval_inode(share->session, id, 0, 0);
    berth_transport_flush(share->transport);
}

void share_forget_entry(Share *share, guint64 parent, const char *name)
{
    fuse_lowlevel_notify_inval_entry(share->session, parent, name, strlen(name));
    berth_transport_flush(share->transport);
}

/* An entry was added or removed. If the guest has it as it is now, it made the change itself. */
static void follow_entry(Share *share, guint64 parent, const char *name)
{
    BerthNodeKey key;
    ShareFile file = {0};
    guint64 id = find_child(share, parent, name, &key);
    berth_autofd int fd = share_open_node(share, parent, NULL);
    bool exists = fd >= 0 && share_layer_look(share, parent, fd, name, &file) == 0;
    bool known = id != BERTH_NODE_NONE && exists && berth_node_key_equal(&key, &file.key);
    if (id != BERTH_NODE_NONE)
        share_forget_attributes(share, id);
    if (!known && (id != BERTH_NODE_NONE || exists))
        share_forget_entry(share, parent, name);
    share_forget_data(share, parent); /* its times, and the list that the guest keeps */
}

static void follow(Share *share, guint64 parent, const struct inotify_event *event)
{
    BerthNodeKey key;
    if (event->len == 0) {
        share_forget_attributes(share, parent);
        return;
    }
    if ((event->mask & SHARE_ENTRIES) != 0) {
        follow_entry(share, parent, event->name);
        return;
    }
    guint64 id = find_child(share, parent, event->name, &key);
    if (id == BERTH_NODE_NONE)
        return;
    if ((event->mask & DATA) != 0)
        share_forget_data(share, id);
    else
        share_forget_attributes(share, id);
}

/* Events were lost: invalidate everything. */
void share_forget_all(Share *share)
{
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_begin(share->nodes), end = berth_nodes_end(share->nodes);
    g_mutex_unlock(&share->lock);
    for (; id < end; id++) {
        g_mutex_lock(&share->lock);
        const BerthNode *node = berth_nodes_get(share->nodes, id);
        guint64 parent = node != NULL && !node->fixed ? node->parent : BERTH_NODE_NONE;
        g_autofree char *name = node != NULL ? g_strdup(node->name) : NULL;
        g_mutex_unlock(&share->lock);
        if (name == NULL)
            continue;
        share_forget_data(share, id);
        if (parent != BERTH_NODE_NONE)
            share_forget_entry(share, parent, name);
    }
}

static guint64 node_of(Share *share, const struct inotify_event *event)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = GPOINTER_TO_SIZE(g_hash_table_lookup(share->watches, GINT_TO_POINTER(event->wd)));
    if ((event->mask & IN_IGNORED) == 0 || id == BERTH_NODE_NONE)
        return id;
    g_hash_table_remove(share->watches, GINT_TO_POINTER(event->wd));
    berth_nodes_set_gone(share->nodes, id);
    return BERTH_NODE_NONE;
}

/* ---- events ---- */

/* The events that were read and are not handled yet. */
typedef struct {
    char *bytes; /* 2 * BUFFER_SIZE */
    gsize at, size;
    GHashTable *own; /* nodes that the guest has changed itself -> whether their data */
} Events;

/* Read more behind what is not handled yet, which moves to the front of the buffer. */
static bool read_events(Share *share, Events *events)
{
    ssize_t size;
    events->size -= events->at;
    memmove(events->bytes, events->bytes + events->at, events->size);
    events->at = 0;
    do {
        size = share_echo_read(share, events->bytes + events->size, BUFFER_SIZE);
    } while (size < 0 && errno == EINTR);
    events->size += size > 0 ? (gsize)size : 0;
    return size > 0 || (size < 0 && errno == EAGAIN);
}

static guint32 kind_of(const struct inotify_event *event)
{
    return event->mask & (SHARE_ENTRIES | DATA | IN_ATTRIB);
}

static struct inotify_event *next_event(const Events *events, gsize *at)
{
    if (*at >= events->size)
        return NULL;
    struct inotify_event *event = (void *)(events->bytes + *at);
    *at += sizeof(*event) + event->len;
    return event;
}

static struct inotify_event *find_second(const Events *events, guint32 cookie)
{
    gsize at = events->at;
    struct inotify_event *event;
    while ((event = next_event(events, &at)) != NULL)
        if ((event->mask & IN_MOVED_TO) != 0 && event->cookie == cookie)
            return event;
    return NULL;
}

/* Wait until the host's kernel has no rename under way that began in directory @id: it locks the
 * directory until both halves are reported, and a listing takes that lock, too. */
static void await_rename(Share *share, guint64 id)
{
    int lower = share_layer_lower(share, id);
    berth_autofd int fd = lower >= 0 ? lower : share_open_node(share, id, NULL);
    berth_autofd int listing = fd >= 0 ? berth_fd_reopen(fd, O_RDONLY | O_DIRECTORY) : -1;
    char entries[sizeof(struct dirent64)];
    if (listing >= 0)
        (void)syscall(SYS_getdents64, listing, entries, sizeof(entries));
}

/* The second half of a move from directory @parent. The host's kernel reports it right after the
 * first, so if it is not in the buffer, we read between the two, or nobody watches the other
 * directory. */
static struct inotify_event *find_or_read_second(Share *share, Events *events, guint64 parent,
                                                 guint32 cookie)
{
    struct inotify_event *second = find_second(events, cookie);
    if (second != NULL || events->size - events->at > BUFFER_SIZE)
        return second;
    await_rename(share, parent);
    return read_events(share, events) ? find_second(events, cookie) : NULL;
}

/* Whether the guest's @name in @parent is what is shown there; *@ret_exists: not nothing. */
static bool compare_shown(Share *share, guint64 parent, const char *name, bool *ret_exists)
{
    BerthNodeKey key;
    ShareFile file = {0};
    guint64 id = find_child(share, parent, name, &key);
    berth_autofd int fd = share_open_node(share, parent, NULL);
    *ret_exists = fd >= 0 && share_layer_look(share, parent, fd, name, &file) == 0;
    return *ret_exists ? id != BERTH_NODE_NONE && berth_node_key_equal(&key, &file.key)
                       : id == BERTH_NODE_NONE;
}

static bool is_as_shown(Share *share, guint64 parent, const char *name)
{
    bool exists;
    return compare_shown(share, parent, name, &exists);
}

static bool is_there_as_shown(Share *share, guint64 parent, const char *name)
{
    bool exists;
    return compare_shown(share, parent, name, &exists) && exists;
}

/* Whether @name in @parent is a name of the host's that accepting changes uses: the guest is shown
 * none of it. */
static bool is_accepting(Share *share, guint64 parent, const char *name)
{
    return g_str_has_prefix(name, BERTH_OVERLAY_ACCEPTING) && share_layer_has(share, parent);
}

static bool follow_move(Share *share, Events *events, guint64 parent,
                        const struct inotify_event *first)
{
    bool is_directory = (first->mask & IN_ISDIR) != 0;
    g_autofree char *name = g_strdup(first->name); /* a further read overwrites @first */
    struct inotify_event *second = find_or_read_second(share, events, parent, first->cookie);
    guint64 new_parent = second != NULL ? node_of(share, second) : BERTH_NODE_NONE;
    if (new_parent != BERTH_NODE_NONE && is_accepting(share, new_parent, second->name)) {
        second->mask = 0;
        return is_as_shown(share, parent, name) ||
               share_replay_change(share, parent, name, is_directory, IN_DELETE);
    }
    if (new_parent != BERTH_NODE_NONE && !share_layer_follow(share, new_parent, second->name) &&
        share_layer_hides(share, new_parent, second->name)) {
        follow(share, new_parent, second);
        second->mask = 0; /* handled */
        new_parent = BERTH_NODE_NONE;
    }
    if (new_parent == BERTH_NODE_NONE && share_layer_has(share, parent) &&
        is_there_as_shown(share, parent, name))
        return true; /* an accepted directory took the place of the host's */
    if (new_parent == BERTH_NODE_NONE)
        return share_replay_move(share, parent, name, BERTH_NODE_NONE, NULL, is_directory);
    follow(share, new_parent, second);
    second->mask = 0; /* handled */
    bool queued = share_replay_move(share, parent, name, new_parent, second->name, is_directory);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    berth_nodes_rename(share->nodes, parent, name, new_parent, second->name, false);
    return queued;
}

/* Repeat the host's change in the guest, where it is @shown though a copy hides it, too. False: too
 * many wait. */
static bool repeat(Share *share, Events *events, guint64 parent, const struct inotify_event *event,
                   bool shown)
{
    const guint32 kind = kind_of(event);
    if (event->len == 0 || kind == 0 || (!shown && share_layer_hides(share, parent, event->name)))
        return true;
    if (kind == IN_MOVED_FROM)
        return follow_move(share, events, parent, event);
    if (kind == IN_MOVED_TO && share_layer_has(share, parent) &&
        is_as_shown(share, parent, event->name))
        return true; /* an accepted change, which the guest made itself */
    if (kind == IN_MOVED_TO)
        return share_replay_move(share, BERTH_NODE_NONE, NULL, parent, event->name,
                                 (event->mask & IN_ISDIR) != 0);
    return share_replay_event(share, parent, event);
}

/* The guest's kernel has updated its caches of names with its own request. Those of a file it drops
 * all the same, once for all that was read: inotify may have merged a change of the host's into the
 * event, or has reported one under the name of before the move. */
static void follow_own(Share *share, Events *events, guint64 parent,
                       const struct inotify_event *event)
{
    BerthNodeKey key;
    if ((event->mask & (DATA | IN_ATTRIB | IN_MOVED_TO)) == 0)
        return;
    guint64 id = find_child(share, parent, event->name, &key);
    gpointer number = GSIZE_TO_POINTER(id);
    if (id == BERTH_NODE_NONE)
        return;
    bool data = (event->mask & IN_ATTRIB) == 0 || g_hash_table_lookup(events->own, number) != NULL;
    g_hash_table_insert(events->own, number, GINT_TO_POINTER(data));
}

static void forget_own(Share *share, Events *events)
{
    GHashTableIter iter;
    gpointer id, data;
    g_hash_table_iter_init(&iter, events->own);
    while (g_hash_table_iter_next(&iter, &id, &data)) {
        if (data != NULL)
            share_forget_data(share, GPOINTER_TO_SIZE(id));
        else
            share_forget_attributes(share, GPOINTER_TO_SIZE(id));
    }
    g_hash_table_remove_all(events->own);
}

static void handle(Share *share, Events *events, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        share_replay_lost(share, true);
        share_forget_all(share);
        share_barrier_lost(share);
    }
    if (share_barrier_pass(share, event))
        return;
    guint64 parent = node_of(share, event);
    if (parent == BERTH_NODE_NONE || event->mask == 0)
        return;
    if (event->len > 0 && is_accepting(share, parent, event->name))
        return;
    if (event->len > 0 && share_echo_consume(share, parent, event->name, kind_of(event))) {
        follow_own(share, events, parent, event);
        return;
    }
    bool shown = event->len > 0 && share_layer_follow(share, parent, event->name);
    follow(share, parent, event);
    if (!repeat(share, events, parent, event, shown))
        share_forget_all(share);
}

/* Files get their times from the coarse clock, or from the fine one if somebody has looked at the
 * former time. */
gint64 share_now(bool after)
{
    struct timespec now;
    clock_gettime(after ? CLOCK_REALTIME : CLOCK_REALTIME_COARSE, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

void share_record_time(Share *share)
{
    gint64 now = share_now(false); /* first: a change after it counts for the next server */
    if (!g_atomic_int_get(&share->catching_up) && share_echo_is_handled(share) &&
        share_replay_is_done(share))
        berth_ledger_set_time(share->ledger, now);
}

gpointer share_follow_changes(gpointer data)
{
    Share *share = data;
    g_autofree char *buffer = g_malloc(2 * BUFFER_SIZE);
    g_autoptr(GHashTable) own = g_hash_table_new(NULL, NULL);
    for (;;) {
        Events events = {.bytes = buffer, .own = own};
        struct pollfd queue = {.fd = share->inotify, .events = POLLIN};
        struct inotify_event *event;
        poll(&queue, 1, -1);
        if (!read_events(share, &events))
            return NULL;
        while ((event = next_event(&events, &events.at)) != NULL) {
            share_hold_wait(share);
            handle(share, &events, event);
        }
        forget_own(share, &events);
        share_echo_handled(share);
        share_record_time(share);
    }
}
