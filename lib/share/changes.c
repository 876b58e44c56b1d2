/* SPDX-License-Identifier: MIT
 *
 * Invalidates the guest's caches when files change on the host.
 *
 * A directory is watched before the first reply about an entry of it, so that each change of what
 * the guest caches causes an event. An event only says where to look: the guest's own changes cause
 * events too, and the file may have changed again. So the present state is read and compared with
 * the node.
 *
 * The guest's kernel resolves the races: while a request for a page or a name is in flight it holds
 * a lock that the invalidation waits for. A reply that was out of date when it was sent is dropped
 * by the invalidation after it. Source: fs/fuse/inode.c, dir.c.
 */
#include "share_private.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE |            \
     IN_ATTRIB | IN_ONLYDIR)
#define ENTRIES     (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define DATA        (IN_MODIFY | IN_CLOSE_WRITE)
#define BUFFER_SIZE 65536u

void share_watch(Share *share, guint64 id, int fd)
{
    char path[SHARE_FD_PATH_SIZE];
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node == NULL || node->watch >= 0)
        return;
    share_fd_path(fd, path);
    int watch = inotify_add_watch(share->inotify, path, EVENTS);
    if (watch < 0)
        return; /* no more watches: the caches have a limit of time */
    berth_nodes_set_watch(share->nodes, id, watch);
    g_hash_table_insert(share->watches, GINT_TO_POINTER(watch), GSIZE_TO_POINTER(id));
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

static void forget_attributes(Share *share, guint64 id)
{
    fuse_lowlevel_notify_inval_inode(share->session, id, -1, 0);
    berth_transport_flush(share->transport);
}

static void forget_data(Share *share, guint64 id)
{
    fuse_lowlevel_notify_inval_inode(share->session, id, 0, 0);
    berth_transport_flush(share->transport);
}

static void forget_entry(Share *share, guint64 parent, const char *name)
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
    bool exists = fd >= 0 && share_stat(share, fd, name, &file) == 0;
    bool known = id != BERTH_NODE_NONE && exists && memcmp(&key, &file.key, sizeof(key)) == 0;
    if (id != BERTH_NODE_NONE)
        forget_attributes(share, id);
    if (!known && (id != BERTH_NODE_NONE || exists))
        forget_entry(share, parent, name);
    forget_data(share, parent); /* its times, and the list that the guest keeps */
}

static void follow(Share *share, guint64 parent, const struct inotify_event *event)
{
    BerthNodeKey key;
    if (event->len == 0) {
        forget_attributes(share, parent);
        return;
    }
    if ((event->mask & ENTRIES) != 0) {
        follow_entry(share, parent, event->name);
        return;
    }
    guint64 id = find_child(share, parent, event->name, &key);
    if (id == BERTH_NODE_NONE)
        return;
    if ((event->mask & DATA) != 0)
        forget_data(share, id);
    else
        forget_attributes(share, id);
}

void share_forget_former(Share *share, const char *const *paths)
{
    for (guint i = 0; paths[i] != NULL; i++) {
        const char *begin = paths[i] + strspn(paths[i], "/");
        g_autofree char *name = g_strndup(begin, strcspn(begin, "/"));
        if (*name != '\0')
            forget_entry(share, BERTH_NODE_ROOT, name);
    }
    forget_data(share, BERTH_NODE_ROOT);
}

/* Events were lost: invalidate everything. */
static void forget_all(Share *share)
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
        forget_data(share, id);
        if (parent != BERTH_NODE_NONE)
            forget_entry(share, parent, name);
    }
}

static guint64 node_of(Share *share, const struct inotify_event *event)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = GPOINTER_TO_SIZE(g_hash_table_lookup(share->watches, GINT_TO_POINTER(event->wd)));
    if ((event->mask & IN_IGNORED) == 0 || id == BERTH_NODE_NONE)
        return id;
    g_hash_table_remove(share->watches, GINT_TO_POINTER(event->wd));
    berth_nodes_set_watch(share->nodes, id, -1);
    return BERTH_NODE_NONE;
}

gpointer share_follow_changes(gpointer data)
{
    Share *share = data;
    g_autofree char *buffer = g_malloc(BUFFER_SIZE);
    for (;;) {
        ssize_t size = read(share->inotify, buffer, BUFFER_SIZE);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return NULL;
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            at += (ssize_t)sizeof(*event) + event->len;
            if ((event->mask & IN_Q_OVERFLOW) != 0)
                forget_all(share);
            guint64 parent = node_of(share, event);
            if (parent != BERTH_NODE_NONE)
                follow(share, parent, event);
        }
    }
}
