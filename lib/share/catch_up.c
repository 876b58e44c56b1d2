/* SPDX-License-Identifier: MIT
 *
 * Finds what the host has changed since a former server's end, or before it and unseen.
 *
 * The ledger has the time up to which the guest has seen every change. A file was changed since if
 * its ctime, which no program can set, is not before that time. The directories that the former
 * server watched are watched again first and then read: each difference from the guest's nodes
 * invalidates what the guest caches, and is repeated there as an event. One event stands for all
 * changes of a file, and what the guest did itself right before the end may raise another: none is
 * missed. A change that leaves no trace but the directory's time, such as the end of a file that
 * the guest does not know, is a change of the directory's attributes.
 *
 * Meanwhile the guest goes on. What looks as if a file had ended may be a move of its own, and the
 * repetition of such an end would cost the guest's kernel a file that is there: so that is looked
 * at again while no request is under way.
 */
#include "share_private.h"

#include "base/fd.h"
#include "layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_SIZE 65536u

typedef struct {
    Share *share;
    gint64 since, until; /* nanoseconds; later changes raise inotify's events */
    GHashTable *seen;    /* ids of nodes that are where they were */
    GHashTable *listed;  /* ids of directories that were read, with whether they were changed */
} CatchUp;

static bool is_in_time(const CatchUp *work, const struct timespec *time)
{
    gint64 nsec = (gint64)time->tv_sec * 1000000000 + time->tv_nsec;
    return nsec >= work->since && nsec <= work->until;
}

/* ---- what is shared ---- */

/* The number of @name in @parent if a former server had it and this one has it still. */
static guint64 find_kept(Share *share, guint64 parent, const char *name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    return node != NULL && node->fixed && node->restored ? id : BERTH_NODE_NONE;
}

static void forget_unless_kept(Share *share, const char *path)
{
    guint64 id = BERTH_NODE_ROOT;
    for (path += strspn(path, "/"); *path != '\0';) {
        gsize length = strcspn(path, "/");
        g_autofree char *name = g_strndup(path, length);
        guint64 next = find_kept(share, id, name);
        if (next == BERTH_NODE_NONE) {
            share_forget_entry(share, id, name);
            share_forget_data(share, id);
            return;
        }
        id = next;
        path += length + strspn(path + length, "/");
    }
}

void share_forget_former(Share *share, const char *const *paths)
{
    for (guint i = 0; paths[i] != NULL; i++)
        forget_unless_kept(share, paths[i]);
    share_forget_data(share, BERTH_NODE_ROOT);
}

/* ---- changes ---- */

/* Have the change @kind, one of inotify's, of @name repeated. */
static void repeat(CatchUp *work, guint64 parent, const char *name, mode_t mode, guint32 kind)
{
    share_replay_change(work->share, parent, name, S_ISDIR(mode), kind);
}

/* A write sets both times, any other change only the second. */
static bool is_attributes_alone(const CatchUp *work, const struct stat *now)
{
    return !is_in_time(work, &now->st_mtim) || now->st_ctim.tv_sec != now->st_mtim.tv_sec ||
           now->st_ctim.tv_nsec != now->st_mtim.tv_nsec;
}

static void repeat_touched(CatchUp *work, guint64 parent, const char *name, const struct stat *now)
{
    if (S_ISREG(now->st_mode) && is_in_time(work, &now->st_mtim)) {
        repeat(work, parent, name, now->st_mode, IN_MODIFY);
        repeat(work, parent, name, now->st_mode, IN_CLOSE_WRITE);
    }
    if (is_attributes_alone(work, now))
        repeat(work, parent, name, now->st_mode, IN_ATTRIB);
}

static void repeat_new(CatchUp *work, guint64 parent, const char *name, const struct stat *now)
{
    share_forget_entry(work->share, parent, name);
    repeat(work, parent, name, now->st_mode, IN_CREATE);
    if (S_ISREG(now->st_mode))
        repeat_touched(work, parent, name, now);
}

/* A file with another name is there still, and its node must not end with this one: the guest's
 * kernel counts its names. */
static void keep_other_names(Share *share, guint64 parent, const char *name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node =
        berth_nodes_get(share->nodes, berth_nodes_find(share->nodes, parent, name));
    if (node != NULL && node->had_names)
        berth_nodes_remove(share->nodes, parent, name);
}

static void repeat_end(CatchUp *work, guint64 parent, const char *name, guint8 type)
{
    keep_other_names(work->share, parent, name);
    share_forget_entry(work->share, parent, name);
    repeat(work, parent, name, (mode_t)type << 12, IN_DELETE);
}

/* The node @name in @parent, with its key and type; BERTH_NODE_NONE: the guest has none. */
static guint64 find(Share *share, guint64 parent, const char *name, BerthNodeKey *ret_key,
                    guint8 *ret_type)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node == NULL)
        return BERTH_NODE_NONE;
    *ret_key = node->key;
    *ret_type = node->type;
    return id;
}

/* Have it repeated that another file is @name in @parent, open as @fd, if that is so. */
static bool compare_held(CatchUp *work, guint64 parent, int fd, const char *name)
{
    BerthNodeKey key;
    guint8 type;
    ShareFile file = {0};
    guint64 id = find(work->share, parent, name, &key, &type);
    if (id == BERTH_NODE_NONE || share_layer_look(work->share, parent, fd, name, &file) < 0 ||
        berth_node_key_equal(&key, &file.key))
        return false;
    repeat_end(work, parent, name, type);
    repeat_new(work, parent, name, &file.attributes);
    return true;
}

static bool compare_again(CatchUp *work, guint64 parent, int fd, const char *name)
{
    share_hold_begin(work->share);
    bool changed = compare_held(work, parent, fd, name);
    share_hold_end(work->share);
    return changed;
}

/* Compare the entry @name of @parent, open as @fd. Returns whether an entry was changed. */
static bool compare(CatchUp *work, guint64 parent, int fd, const char *name, bool has_changed)
{
    BerthNodeKey key;
    guint8 type;
    ShareFile file = {0};
    bool copied = share_layer_follow(work->share, parent, name);
    if ((!copied && share_layer_hides(work->share, parent, name)) ||
        share_layer_look(work->share, parent, fd, name, &file) < 0)
        return false;
    bool touched = is_in_time(work, &file.attributes.st_ctim);
    guint64 id = find(work->share, parent, name, &key, &type);
    if (id != BERTH_NODE_NONE && !berth_node_key_equal(&key, &file.key))
        return compare_again(work, parent, fd, name);
    if (id != BERTH_NODE_NONE)
        g_hash_table_add(work->seen, GSIZE_TO_POINTER(id));
    if (touched && id == BERTH_NODE_NONE && has_changed) {
        repeat_new(work, parent, name, &file.attributes);
        return true;
    }
    if (touched && id != BERTH_NODE_NONE)
        share_forget_data(work->share, id);
    if (touched)
        repeat_touched(work, parent, name, &file.attributes);
    return false;
}

/* Compare all entries of @id, open as @fd. False: it cannot be read. */
static bool compare_entries(CatchUp *work, guint64 id, int fd, bool has_changed, bool *ret_found)
{
    g_autofree char *buffer = g_malloc(READ_SIZE);
    for (;;) {
        long size = syscall(SYS_getdents64, fd, buffer, READ_SIZE);
        if (size <= 0)
            return size == 0;
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const void *)(buffer + at);
            at += entry->d_reclen;
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                *ret_found |= compare(work, id, fd, entry->d_name, has_changed);
        }
    }
}

static void read_directory(CatchUp *work, guint64 id)
{
    ShareFile file = {0};
    bool found = false;
    berth_autofd int path_fd = share_layer_has(work->share, id)
                                   ? share_layer_lower(work->share, id)
                                   : share_open_node(work->share, id, NULL);
    berth_autofd int fd = path_fd < 0 ? -1 : berth_fd_reopen(path_fd, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || share_stat(work->share, fd, "", &file) < 0)
        return;
    bool has_changed = is_in_time(work, &file.attributes.st_mtim);
    if (has_changed)
        share_forget_data(work->share, id);
    if (compare_entries(work, id, fd, has_changed, &found))
        g_hash_table_insert(work->listed, GSIZE_TO_POINTER(id),
                            GINT_TO_POINTER(has_changed && !found));
}

/* ---- all ---- */

static GArray *list_nodes(Share *share, bool (*is_wanted)(const BerthNode *node))
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 end = berth_nodes_end(share->nodes), root = BERTH_NODE_ROOT;
    if (is_wanted(berth_nodes_get(share->nodes, root)))
        g_array_append_val(ids, root);
    for (guint64 id = berth_nodes_begin(share->nodes); id < end; id++) {
        const BerthNode *node = berth_nodes_get(share->nodes, id);
        if (node != NULL && is_wanted(node))
            g_array_append_val(ids, id);
    }
    return ids;
}

/* The root has no record, and may be a share's. */
static bool was_watched(const BerthNode *node)
{
    return node->restored ? node->watched : node->fixed && node->share >= 0;
}

static bool was_known(const BerthNode *node)
{
    return node->restored && !node->fixed && node->parent != BERTH_NODE_NONE;
}

/* Whether node @id, which was @name in @parent, is there. */
static bool is_in_place(Share *share, guint64 id, guint64 parent, const char *name)
{
    ShareFile file = {0};
    BerthNodeKey key = {0};
    guint8 type;
    berth_autofd int fd = share_layer_has(share, parent) ? share_layer_lower(share, parent)
                                                         : share_open_node(share, parent, NULL);
    return fd >= 0 && share_layer_look(share, parent, fd, name, &file) == 0 &&
           find(share, parent, name, &key, &type) == id && berth_node_key_equal(&key, &file.key);
}

/* Where a node was. */
typedef struct {
    guint64 parent;
    char *name; /* owned */
    guint8 type;
} Former;

static void former_clear(Former *former)
{
    g_free(former->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Former, former_clear)

/* Whether node @id is not where it was: in a directory that was read. */
static bool has_ended(const CatchUp *work, guint64 id, Former *ret_former)
{
    Share *share = work->share;
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    bool known = node != NULL && was_known(node);
    if (known)
        *ret_former = (Former){node->parent, g_strdup(node->name), node->type};
    g_mutex_unlock(&share->lock);
    return known && g_hash_table_contains(work->listed, GSIZE_TO_POINTER(ret_former->parent)) &&
           !share_layer_hides(share, ret_former->parent, ret_former->name) &&
           !is_in_place(share, id, ret_former->parent, ret_former->name);
}

static void compare_known_held(CatchUp *work, guint64 id)
{
    Share *share = work->share;
    g_auto(Former) former = {0};
    if (!has_ended(work, id, &former))
        return;
    if (former.type == S_IFDIR >> 12) {
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
        berth_nodes_set_gone(share->nodes, id);
    }
    repeat_end(work, former.parent, former.name, former.type);
    g_hash_table_insert(work->listed, GSIZE_TO_POINTER(former.parent), GINT_TO_POINTER(false));
}

/* A copy that the guest has not changed hides no end of the host's file. */
static void follow_copy(Share *share, guint64 id)
{
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    guint64 parent = node != NULL && was_known(node) ? node->parent : BERTH_NODE_NONE;
    g_autofree char *name = node != NULL ? g_strdup(node->name) : NULL;
    g_mutex_unlock(&share->lock);
    if (parent != BERTH_NODE_NONE)
        share_layer_follow(share, parent, name);
}

static void compare_known(CatchUp *work, guint64 id)
{
    g_auto(Former) former = {0};
    if (g_hash_table_contains(work->seen, GSIZE_TO_POINTER(id)))
        return;
    follow_copy(work->share, id);
    if (!has_ended(work, id, &former))
        return;
    share_hold_begin(work->share);
    compare_known_held(work, id);
    share_hold_end(work->share);
}

/* No other event tells of a change in directory @id. */
static void repeat_directory(CatchUp *work, guint64 id)
{
    Share *share = work->share;
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    guint64 parent = node != NULL && !node->fixed ? node->parent : BERTH_NODE_NONE;
    g_autofree char *name = node != NULL ? g_strdup(node->name) : NULL;
    g_mutex_unlock(&share->lock);
    if (parent != BERTH_NODE_NONE)
        repeat(work, parent, name, S_IFDIR, IN_ATTRIB);
    else
        share_replay_lost(share, false);
}

static void compare_all(CatchUp *work)
{
    g_autoptr(GArray) directories = list_nodes(work->share, was_watched);
    g_autoptr(GArray) known = list_nodes(work->share, was_known);
    GHashTableIter iter;
    gpointer id, alone;
    for (guint i = 0; i < directories->len; i++)
        read_directory(work, g_array_index(directories, guint64, i));
    for (guint i = 0; i < known->len; i++)
        compare_known(work, g_array_index(known, guint64, i));
    g_hash_table_iter_init(&iter, work->listed);
    while (g_hash_table_iter_next(&iter, &id, &alone))
        if (GPOINTER_TO_INT(alone))
            repeat_directory(work, GPOINTER_TO_SIZE(id));
}

bool share_watch_again(Share *share)
{
    bool all = true;
    g_autoptr(GArray) directories = list_nodes(share, was_watched);
    for (guint i = 0; i < directories->len; i++) {
        guint64 id = g_array_index(directories, guint64, i);
        berth_autofd int fd = share_open_node(share, id, NULL);
        if (fd < 0)
            continue;
        share_watch(share, id, fd);
        g_mutex_lock(&share->lock);
        all = all && berth_nodes_get(share->nodes, id)->watch >= 0;
        g_mutex_unlock(&share->lock);
    }
    return all;
}

void share_catch_up(Share *share, bool all_watched, gint64 until)
{
    CatchUp work = {.share = share, .since = berth_ledger_time(share->ledger), .until = until};
    work.seen = g_hash_table_new(NULL, NULL);
    work.listed = g_hash_table_new(NULL, NULL);
    compare_all(&work);
    if (!all_watched)
        share_forget_all(share);
    g_hash_table_unref(work.seen);
    g_hash_table_unref(work.listed);
    share_barrier_caught_up(share);
    share_record_time(share);
}
