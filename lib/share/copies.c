/* SPDX-License-Identifier: MIT
 *
 * Copies beside a share that the guest has not changed: they show what the host has.
 *
 * The host's changes of a directory that the guest knows are followed as they come (changes.c).
 * Those from before are looked for when the guest looks a name up that it does not know, opens a
 * directory, or has a new server (catch_up.c). A locked copy stays as it is until the lock ends.
 */
#include "layer.h"

#include "base/fd.h"

#include <linux/fuse.h>
#include <string.h>

/* ---- before a request ---- */

/* Whether changes of @name in @parent are followed as they come. */
static bool is_followed(Share *share, guint64 parent, const char *name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, parent);
    return node != NULL && node->watch >= 0 &&
           berth_nodes_find(share->nodes, parent, name) != BERTH_NODE_NONE;
}

static void refresh_directory(Share *share, guint64 id)
{
    g_autoptr(GPtrArray) names = share_layer_copies(share, id);
    for (guint i = 0; names != NULL && i < names->len; i++)
        share_layer_follow(share, id, names->pdata[i]);
}

void share_copies_before_request(Share *share, const guint8 *message)
{
    struct fuse_in_header header;
    const char *name = (const char *)message + sizeof(header);
    memcpy(&header, message, sizeof(header));
    if (!share->has_overlays)
        return;
    if (header.opcode == FUSE_OPENDIR)
        refresh_directory(share, header.nodeid);
    else if (header.opcode == FUSE_LOOKUP && !is_followed(share, header.nodeid, name))
        share_layer_follow(share, header.nodeid, name);
}

/* ---- after a lock ---- */

typedef struct {
    Share *share;
    guint64 parent;
    char *name; /* owned */
} Unlocked;

static void unlocked_free(Unlocked *unlocked)
{
    g_free(unlocked->name);
    g_free(unlocked);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unlocked, unlocked_free)

/* The events that the guest gets for a file that was edited, removed or replaced on the host. */
static const guint32 edited[] = {IN_MODIFY, IN_CLOSE_WRITE, 0};
static const guint32 removed[] = {IN_DELETE, 0};
static const guint32 replaced[] = {IN_DELETE, IN_CREATE, 0};

static void show(Share *share, guint64 parent, const char *name, bool is_directory,
                 const guint32 *events)
{
    bool repeated = true;
    for (; repeated && *events != 0; events++)
        repeated = share_replay_change(share, parent, name, is_directory, *events);
    if (!repeated)
        share_forget_all(share);
}

/* Invalidate what the guest has of @name in @parent, where another file is shown now. */
static void show_other(Share *share, guint64 parent, const char *name)
{
    ShareFile file = {0};
    berth_autofd int fd = share_open_node(share, parent, NULL);
    bool exists = fd >= 0 && share_layer_look(share, parent, fd, name, &file) == 0;
    bool is_directory = exists && S_ISDIR(file.attributes.st_mode);
    share_forget_entry(share, parent, name);
    share_forget_data(share, parent);
    show(share, parent, name, is_directory, exists ? replaced : removed);
    if (exists && !is_directory)
        show(share, parent, name, false, edited);
}

static gpointer follow_unlocked(gpointer data)
{
    g_autoptr(Unlocked) unlocked = data;
    Share *share = unlocked->share;
    BerthOverlayAge before = share_layer_age(share, unlocked->parent, unlocked->name);
    share_layer_follow(share, unlocked->parent, unlocked->name);
    if (before <= BERTH_OVERLAY_CURRENT ||
        share_layer_age(share, unlocked->parent, unlocked->name) > BERTH_OVERLAY_CURRENT)
        return NULL; /* it is locked again */
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, unlocked->parent, unlocked->name);
    g_mutex_unlock(&share->lock);
    if (before == BERTH_OVERLAY_REPLACED) {
        show_other(share, unlocked->parent, unlocked->name);
        return NULL;
    }
    if (id != BERTH_NODE_NONE)
        share_forget_data(share, id);
    show(share, unlocked->parent, unlocked->name, false, edited);
    return NULL;
}

void share_copies_keep_locked(Share *share, guint64 id)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    g_hash_table_add(share->locked_copies, GSIZE_TO_POINTER(id));
    g_atomic_int_set(&share->has_locked_copies, true);
}

/* Where node @id is, if it is a copy that stayed for its lock; else NULL. */
static Unlocked *take_locked(Share *share, guint64 id)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    bool found = g_hash_table_remove(share->locked_copies, GSIZE_TO_POINTER(id));
    g_atomic_int_set(&share->has_locked_copies, g_hash_table_size(share->locked_copies) > 0);
    if (!found || node == NULL || node->parent == BERTH_NODE_NONE)
        return NULL;
    Unlocked *unlocked = g_new(Unlocked, 1);
    *unlocked = (Unlocked){share, node->parent, g_strdup(node->name)};
    return unlocked;
}

/* In a thread of its own: it waits for the end of the request that ended the lock. */
void share_copies_unlocked(Share *share, guint64 id)
{
    g_autoptr(Unlocked) unlocked =
        g_atomic_int_get(&share->has_locked_copies) ? take_locked(share, id) : NULL;
    GThread *thread =
        unlocked != NULL ? g_thread_try_new("copies", follow_unlocked, unlocked, NULL) : NULL;
    if (thread == NULL) {
        if (unlocked != NULL)
            share_copies_keep_locked(share, id);
        return;
    }
    g_thread_unref(thread);
    (void)g_steal_pointer(&unlocked); /* the thread's */
}
