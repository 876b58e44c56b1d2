/* SPDX-License-Identifier: MIT
 *
 * What happens here when a client accepts or discards changes that are kept beside a share
 * (overlay/hold.h).
 *
 * While a client has the overlay no request of the guest's is handled: each waits, so none reads a
 * file that is half settled, or writes to a copy that was read already. Afterwards the nodes of
 * what was accepted become the host's files: they have the same contents, and whatever the guest
 * has open goes on there, or in a new copy where it may write. What was discarded is to the guest
 * as if the host had put another file in its place: it invalidates it, and repeats the change as
 * events.
 */
#include "layer.h"

#include "base/error.h"
#include "base/fd.h"
#include "charge.h"
#include "overlay/hold.h"
#include "overlay/settled.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- holding requests ---- */

void share_hold_init(Share *share)
{
    g_mutex_init(&share->hold.lock);
    g_cond_init(&share->hold.changed);
}

void share_hold_clear(Share *share)
{
    g_cond_clear(&share->hold.changed);
    g_mutex_clear(&share->hold.lock);
}

void share_hold_enter(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->hold.lock);
    while (share->hold.holds > 0)
        g_cond_wait(&share->hold.changed, &share->hold.lock);
    share->hold.requests++;
}

void share_hold_wait(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->hold.lock);
    while (share->hold.holds > 0)
        g_cond_wait(&share->hold.changed, &share->hold.lock);
}

void share_hold_leave(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->hold.lock);
    if (--share->hold.requests == 0 && share->hold.holds > 0)
        g_cond_broadcast(&share->hold.changed);
}

void share_hold_begin(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->hold.lock);
    while (share->hold.alone)
        g_cond_wait(&share->hold.changed, &share->hold.lock);
    share->hold.holds++;
    while (share->hold.requests > 0)
        g_cond_wait(&share->hold.changed, &share->hold.lock);
}

void share_hold_begin_alone(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->hold.lock);
    while (share->hold.holds > 0)
        g_cond_wait(&share->hold.changed, &share->hold.lock);
    share->hold.holds = 1;
    share->hold.alone = true;
    while (share->hold.requests > 0)
        g_cond_wait(&share->hold.changed, &share->hold.lock);
}

void share_hold_end(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->hold.lock);
    share->hold.holds--;
    share->hold.alone = false;
    g_cond_broadcast(&share->hold.changed);
}

/* ---- what was settled ---- */

/* The changes of one share that were settled, and the guest's nodes that they are about. */
typedef struct Settled {
    GPtrArray *changes; /* BerthOverlaySettled * */
    GArray *accepted;   /* numbers of nodes */
    GArray *discarded;
} Settled;

static void settled_clear(Settled *settled)
{
    g_clear_pointer(&settled->changes, g_ptr_array_unref);
    g_clear_pointer(&settled->accepted, g_array_unref);
    g_clear_pointer(&settled->discarded, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Settled, settled_clear)

/* The change of @by_path that @path is, or is in; NULL: none. */
static const BerthOverlaySettled *find_change(GHashTable *by_path, const char *path)
{
    g_autofree char *at = g_strdup(path);
    for (;;) {
        const BerthOverlaySettled *found = g_hash_table_lookup(by_path, at);
        char *slash = strrchr(at, '/');
        if (found != NULL || slash == NULL)
            return found;
        *slash = '\0';
    }
}

/* Fill the nodes of @settled, of the share @root. */
static void find_nodes(Share *share, int root, Settled *settled)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_autoptr(GHashTable) by_path = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < settled->changes->len; i++) {
        BerthOverlaySettled *change = settled->changes->pdata[i];
        g_hash_table_insert(by_path, change->path,
                            change); /* a later one of the same path counts */
    }
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 end = berth_nodes_end(share->nodes);
    for (guint64 id = berth_nodes_begin(share->nodes); id < end; id++) {
        const BerthNode *node = berth_nodes_get(share->nodes, id);
        if (node == NULL || node->fixed || berth_nodes_path(share->nodes, id, path) != root)
            continue;
        const BerthOverlaySettled *change = find_change(by_path, path->str);
        if (change != NULL)
            g_array_append_val(change->accepted ? settled->accepted : settled->discarded, id);
    }
}

/* Read what was settled of the share @root, and give the guest's nodes of it their files. */
static void take_settled(Share *share, guint root, Settled *settled)
{
    settled->changes = berth_overlay_take_settled(share->roots[root].overlay);
    settled->accepted = g_array_new(FALSE, FALSE, sizeof(guint64));
    settled->discarded = g_array_new(FALSE, FALSE, sizeof(guint64));
    if (settled->changes->len == 0)
        return;
    find_nodes(share, (int)root, settled);
    share_quota_measure(share, root);
    for (guint i = 0; i < settled->accepted->len; i++)
        share_layer_adopt(share, g_array_index(settled->accepted, guint64, i));
}

/* ---- showing it ---- */

/* The guest's node at @path of the share @root, or BERTH_NODE_NONE. */
static guint64 find_node(Share *share, guint root, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = share->roots[root].node;
    for (char **name = names; *name != NULL && id != BERTH_NODE_NONE; name++)
        id = berth_nodes_find(share->nodes, id, *name);
    return id;
}

/* inotify's events of a change that is undone, in their order; those in brackets are of files
 * only. */
static const struct {
    guint32 always[2], of_file[2];
} events[] = {
    [BERTH_CHANGE_ADDED] = {{IN_DELETE}, {0}},
    [BERTH_CHANGE_MODIFIED] = {{IN_DELETE, IN_CREATE}, {IN_MODIFY, IN_CLOSE_WRITE}},
    [BERTH_CHANGE_DELETED] = {{IN_CREATE}, {IN_MODIFY, IN_CLOSE_WRITE}},
    [BERTH_CHANGE_MODE] = {{IN_ATTRIB}, {0}},
};

static bool repeat(Share *share, guint64 parent, const char *name,
                   const BerthOverlaySettled *change, const guint32 kinds[2])
{
    for (guint i = 0; i < 2 && kinds[i] != 0; i++)
        if (!share_replay_change(share, parent, name, change->is_directory, kinds[i]))
            return false;
    return true;
}

/* False: the events were too many. */
static bool show_discarded(Share *share, guint root, const BerthOverlaySettled *change)
{
    const char *slash = strrchr(change->path, '/');
    const char *name = slash != NULL ? slash + 1 : change->path;
    g_autofree char *directory =
        g_strndup(change->path, slash != NULL ? (gsize)(slash - change->path) : 0);
    guint64 parent = slash != NULL ? find_node(share, root, directory) : share->roots[root].node;
    if (parent == BERTH_NODE_NONE)
        return true; /* the guest knows nothing of it */
    if (change->kind != BERTH_CHANGE_MODE)
        share_forget_entry(share, parent, name);
    share_forget_data(share, parent);
    return repeat(share, parent, name, change, events[change->kind].always) &&
           (change->is_directory ||
            repeat(share, parent, name, change, events[change->kind].of_file));
}

/* Invalidate what the guest caches of it. */
static void show_settled(Share *share, guint root, const Settled *settled)
{
    bool repeated = true;
    for (guint i = 0; i < settled->accepted->len; i++)
        share_forget_data(share, g_array_index(settled->accepted, guint64, i));
    for (guint i = 0; i < settled->discarded->len; i++)
        share_forget_data(share, g_array_index(settled->discarded, guint64, i));
    for (guint i = 0; i < settled->changes->len; i++) {
        const BerthOverlaySettled *change = settled->changes->pdata[i];
        if (!change->accepted)
            repeated = show_discarded(share, root, change) && repeated;
    }
    if (!repeated)
        share_forget_all(share);
}

/* ---- clients ---- */

/* Until the client @fd (taken) ends. */
static void serve_client(Share *share, guint root, int fd)
{
    char byte;
    g_auto(Settled) settled = {NULL};
    BerthOverlay *overlay = share->roots[root].overlay;
    share_hold_begin(share);
    berth_overlay_release(overlay);
    if (berth_overlay_send(fd, BERTH_OVERLAY_HELD))
        while (recv(fd, &byte, 1, 0) < 0 && errno == EINTR)
            continue;
    if (!berth_overlay_claim(overlay, true, NULL))
        _exit(0); /* another must not change it beside this server; the next one can try */
    take_settled(share, root, &settled);
    share_hold_end(share);
    show_settled(share, root, &settled);
    share_replay_acknowledge(share, fd);
}

typedef struct {
    Share *share;
    guint root;
} Server;

static gpointer serve_clients(gpointer data)
{
    g_autofree Server *server = data;
    for (;;) {
        int fd = accept4(server->share->roots[server->root].hold_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            serve_client(server->share, server->root, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return NULL;
    }
}

static bool has_overlay(const Share *share, guint root)
{
    return share->roots[root].fd >= 0 && share->roots[root].overlay != NULL;
}

static void free_settled(ShareRoot *root)
{
    if (root->settled != NULL)
        settled_clear(root->settled);
    g_clear_pointer(&root->settled, g_free);
}

void share_reviews_resume(Share *share, bool is_again)
{
    for (guint i = 0; i < share->n_roots; i++) {
        if (!has_overlay(share, i))
            continue;
        Settled *settled = g_new0(Settled, 1);
        take_settled(share, i, settled);
        share->roots[i].settled = settled;
        if (!is_again)
            free_settled(&share->roots[i]);
    }
}

void share_reviews_start(Share *share)
{
    for (guint i = 0; i < share->n_roots; i++) {
        if (!has_overlay(share, i))
            continue;
        if (share->roots[i].settled != NULL)
            show_settled(share, i, share->roots[i].settled);
        free_settled(&share->roots[i]);
        Server server = {share, i};
        if (share->roots[i].hold_fd >= 0)
            g_thread_unref(
                g_thread_new("reviews", serve_clients, g_memdup2(&server, sizeof(server))));
    }
}
