/* SPDX-License-Identifier: MIT
 *
 * Tells the events of the guest's own changes from those of the host's, by counting.
 *
 * Each change that a request makes is counted before it is made; an event takes one from its count.
 * inotify merges equal events, so a count may stay. The queue has all events of a change when its
 * call has returned: once the queue is empty and no such call is under way, what is left was merged
 * and is dropped.
 */
#include "layer.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

struct ShareEcho {
    guint64 parent;
    guint32 mask; /* one of inotify's */
    guint count;
    guint under_way; /* calls */
    char name[];
};

struct ShareEchoes {
    GMutex lock;
    GCond over;          /* a call */
    GHashTable *entries; /* a set of ShareEcho */
    bool busy;           /* events were read and are not all handled */
};

static guint echo_hash(gconstpointer key)
{
    const ShareEcho *echo = key;
    return g_str_hash(echo->name) ^ g_int64_hash(&echo->parent) ^ (echo->mask << 16);
}

static gboolean echo_equal(gconstpointer a, gconstpointer b)
{
    const ShareEcho *one = a, *other = b;
    return one->parent == other->parent && one->mask == other->mask &&
           strcmp(one->name, other->name) == 0;
}

static ShareEcho *echo_new(guint64 parent, const char *name, guint32 mask)
{
    gsize size = strlen(name) + 1;
    ShareEcho *echo = g_malloc0(sizeof(*echo) + size);
    echo->parent = parent;
    echo->mask = mask;
    memcpy(echo->name, name, size);
    return echo;
}

ShareEchoes *share_echoes_new(void)
{
    ShareEchoes *echoes = g_new0(ShareEchoes, 1);
    g_mutex_init(&echoes->lock);
    g_cond_init(&echoes->over);
    echoes->entries = g_hash_table_new_full(echo_hash, echo_equal, g_free, NULL);
    return echoes;
}

void share_echoes_free(ShareEchoes *echoes)
{
    g_hash_table_unref(echoes->entries);
    g_cond_clear(&echoes->over);
    g_mutex_clear(&echoes->lock);
    g_free(echoes);
}

ShareEcho *share_echo_begin(Share *share, guint64 parent, const char *name, guint32 mask)
{
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, parent);
    bool watched = node != NULL && node->watch >= 0;
    g_mutex_unlock(&share->lock);
    if (!watched || share_layer_has(share, parent)) /* it changes no file of the host */
        return NULL;
    ShareEcho *wanted = echo_new(parent, name, mask);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->echoes->lock);
    ShareEcho *echo = g_hash_table_lookup(share->echoes->entries, wanted);
    if (echo == NULL)
        g_hash_table_add(share->echoes->entries, echo = wanted);
    else
        g_free(wanted);
    echo->count++;
    echo->under_way++;
    return echo;
}

ShareEcho *share_echo_begin_node(Share *share, fuse_ino_t id, guint32 mask)
{
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    guint64 parent = node != NULL ? node->parent : BERTH_NODE_NONE;
    if (node != NULL && parent == BERTH_NODE_NONE)
        parent = node->former; /* the kernel reports a file where it was unlinked */
    g_autofree char *name = node != NULL ? g_strdup(node->name) : NULL;
    g_mutex_unlock(&share->lock);
    return name != NULL ? share_echo_begin(share, parent, name, mask) : NULL;
}

static gboolean is_over(gpointer key, gpointer value, gpointer user_data)
{
    const ShareEcho *echo = key;
    return echo->under_way == 0;
}

/* Under the lock. */
static bool is_handled(Share *share)
{
    struct pollfd queue = {.fd = share->inotify, .events = POLLIN};
    return !share->echoes->busy && poll(&queue, 1, 0) == 0;
}

/* Under the lock. */
static void drop_merged(Share *share)
{
    if (is_handled(share))
        g_hash_table_foreach_remove(share->echoes->entries, is_over, NULL);
}

void share_echo_end(Share *share, ShareEcho *echo, bool happened)
{
    if (echo == NULL)
        return;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->echoes->lock);
    echo->under_way--;
    if (!happened && echo->count > 0)
        echo->count--;
    g_cond_broadcast(&share->echoes->over);
    drop_merged(share);
}

bool share_echo_consume(Share *share, guint64 parent, const char *name, guint32 mask)
{
    g_autofree ShareEcho *wanted = echo_new(parent, name, mask);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->echoes->lock);
    GHashTable *entries = share->echoes->entries;
    ShareEcho *echo = g_hash_table_lookup(entries, wanted);
    /* the call may fail, and the event be the host's; the guest changes a name once at a time */
    while (echo != NULL && echo->under_way > 0 && (mask & SHARE_ENTRIES) != 0) {
        g_cond_wait(&share->echoes->over, &share->echoes->lock);
        echo = g_hash_table_lookup(entries, wanted);
    }
    if (echo == NULL || echo->count == 0)
        return false;
    echo->count--;
    return true;
}

ssize_t share_echo_read(Share *share, void *buffer, gsize size)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->echoes->lock);
    share->echoes->busy = true;
    return read(share->inotify, buffer, size);
}

void share_echo_handled(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->echoes->lock);
    share->echoes->busy = false;
    drop_merged(share);
}

bool share_echo_is_handled(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->echoes->lock);
    return is_handled(share);
}
