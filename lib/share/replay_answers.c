/* SPDX-License-Identifier: MIT
 *
 * Answers the requests of a replay (replay.c): the names as they were at the change under way.
 */
#include "replay_private.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>

#define ATTIC  SHARE_REPLAY_PHANTOM /* phantoms follow it by an offset of 1 << 32 at least */
#define HANDLE G_MAXUINT64          /* of a file opened by a replay */

static void answer(Share *share, const struct fuse_in_header *request, int problem,
                   const void *body, gsize size)
{
    guint8 message[sizeof(struct fuse_out_header) + 256];
    const struct fuse_out_header header = {
        .len = (guint32)(sizeof(header) + size), .error = -problem, .unique = request->unique};
    g_assert(size <= sizeof(message) - sizeof(header));
    memcpy(message, &header, sizeof(header));
    if (size > 0)
        memcpy(message + sizeof(header), body, size);
    berth_transport_send(share->transport, message, header.len);
}

static struct fuse_attr wire_attributes(guint64 id, const struct stat *info)
{
    return (struct fuse_attr){
        .ino = info->st_ino != 0 ? info->st_ino : id,
        .size = (guint64)info->st_size,
        .blocks = (guint64)info->st_blocks,
        .atime = (guint64)info->st_atim.tv_sec,
        .mtime = (guint64)info->st_mtim.tv_sec,
        .ctime = (guint64)info->st_ctim.tv_sec,
        .atimensec = (guint32)info->st_atim.tv_nsec,
        .mtimensec = (guint32)info->st_mtim.tv_nsec,
        .ctimensec = (guint32)info->st_ctim.tv_nsec,
        .mode = info->st_mode,
        .nlink = (guint32)info->st_nlink,
        .uid = info->st_uid,
        .gid = info->st_gid,
        .blksize = 4096,
    };
}

/* The attributes of @id, never cached; those of a file that is gone are made up. */
static struct fuse_attr describe(Share *share, guint64 id, bool is_directory)
{
    struct stat made = {.st_mode = is_directory ? S_IFDIR | 0700 : S_IFREG | 0600,
                        .st_nlink = is_directory ? 2 : 1,
                        .st_uid = share->guest_uid,
                        .st_gid = share->guest_gid};
    ShareFile file = {0};
    if (share_replay_is_phantom(id))
        return wire_attributes(id, &made);
    berth_autofd int fd = share_open_node(share, id, NULL);
    if (fd == -ENOENT)
        share_fixed_attributes(share, id, &file.attributes);
    else if (fd < 0 || share_stat(share, fd, "", &file) < 0)
        file.attributes = made;
    if (S_ISDIR(file.attributes.st_mode) != is_directory)
        file.attributes = made;
    return wire_attributes(id, &file.attributes);
}

/* Whether the guest may have the directory whose attributes change at a later place: its kernel has
 * a directory at one place only, and would report the change there. Under the replay's lock. */
static bool is_elsewhere(Share *share, const ReplayTask *task)
{
    if (task->kind != WIRE_REPLAY_ATTRIBUTES || !task->is_directory)
        return false;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, task->node);
    return node != NULL && (node->parent != task->parent || strcmp(node->name, task->name) != 0);
}

/* What the replay under way finds as @name in @parent. False: it is no name of the replay's. */
static bool find_name(Share *share, guint64 parent, const char *name, guint64 *ret_id,
                      bool *ret_is_directory)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->replay->lock);
    const ReplayTask *task = share->replay->task;
    *ret_id = BERTH_NODE_NONE;
    *ret_is_directory = true;
    if (parent == BERTH_NODE_ROOT && strcmp(name, WIRE_REPLAY_ATTIC) == 0) {
        *ret_id = ATTIC;
        return true;
    }
    if (task == NULL)
        return false;
    *ret_is_directory = task->is_directory;
    bool makes = task->kind == WIRE_REPLAY_CREATE || task->kind == WIRE_REPLAY_CREATE_DIRECTORY;
    if (parent == (task->parent != 0 ? task->parent : ATTIC) && strcmp(name, task->name) == 0) {
        *ret_id = makes || is_elsewhere(share, task) ? BERTH_NODE_NONE : task->node;
        return true;
    }
    return task->new_name != NULL && parent == (task->new_parent != 0 ? task->new_parent : ATTIC) &&
           strcmp(name, task->new_name) == 0;
}

/* The node of a directory on the way to the replay's. */
static guint64 find_way(Share *share, guint64 parent, const char *name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    return node != NULL && (node->fixed || node->type == S_IFDIR >> 12) ? id : BERTH_NODE_NONE;
}

static void answer_entry(Share *share, const struct fuse_in_header *request, guint64 id,
                         bool is_directory)
{
    const struct fuse_entry_out entry = {.nodeid = id, .attr = describe(share, id, is_directory)};
    g_mutex_lock(&share->lock);
    berth_nodes_hold(share->nodes, id);
    g_mutex_unlock(&share->lock);
    answer(share, request, 0, &entry, sizeof(entry));
}

static void answer_lookup(Share *share, const struct fuse_in_header *request, const char *name)
{
    guint64 id;
    bool is_directory;
    if (!find_name(share, request->nodeid, name, &id, &is_directory)) {
        id = find_way(share, request->nodeid, name);
        is_directory = true;
    }
    if (id == BERTH_NODE_NONE)
        answer(share, request, ENOENT, NULL, 0);
    else
        answer_entry(share, request, id, is_directory);
}

static bool is_directory_of(Share *share, guint64 id)
{
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    bool known = node != NULL;
    bool is_directory = known && (node->fixed || node->type == S_IFDIR >> 12);
    g_mutex_unlock(&share->lock);
    if (known)
        return is_directory;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->replay->lock);
    const ReplayTask *task = share->replay->task;
    return id == ATTIC || (task != NULL && task->node == id && task->is_directory);
}

static void answer_attributes(Share *share, const struct fuse_in_header *request)
{
    const struct fuse_attr_out out = {
        .attr = describe(share, request->nodeid, is_directory_of(share, request->nodeid))};
    answer(share, request, 0, &out, sizeof(out));
}

/* The request is the operation of the task under way; returns its node. BERTH_NODE_NONE: there is
 * none, as when an earlier server asked for it, or its event would be elsewhere. */
static guint64 mark_done(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->replay->lock);
    ReplayTask *task = share->replay->task;
    if (task == NULL || is_elsewhere(share, task))
        return BERTH_NODE_NONE;
    task->done = true;
    return task->node;
}

static void answer_open(Share *share, const struct fuse_in_header *request)
{
    const struct fuse_open_out out = {.fh = HANDLE, .open_flags = FOPEN_KEEP_CACHE};
    if (mark_done(share) == BERTH_NODE_NONE)
        answer(share, request, EIO, NULL, 0);
    else
        answer(share, request, 0, &out, sizeof(out));
}

static void answer_changed(Share *share, const struct fuse_in_header *request)
{
    if (mark_done(share) == BERTH_NODE_NONE)
        answer(share, request, EIO, NULL, 0);
    else
        answer_attributes(share, request);
}

static void answer_made(Share *share, const struct fuse_in_header *request, bool is_directory)
{
    guint64 id = mark_done(share);
    if (!share_replay_is_phantom(id))
        answer(share, request, EIO, NULL, 0);
    else
        answer_entry(share, request, id, is_directory);
}

static void answer_moved(Share *share, const struct fuse_in_header *request)
{
    bool asked = mark_done(share) != BERTH_NODE_NONE;
    answer(share, request, asked ? 0 : EIO, NULL, 0);
}

void share_replay_answer(Share *share, const struct fuse_in_header *request, const guint8 *body)
{
    switch (request->opcode) {
    case FUSE_LOOKUP:
        answer_lookup(share, request, (const char *)body);
        return;
    case FUSE_GETATTR:
        answer_attributes(share, request);
        return;
    case FUSE_SETATTR:
        answer_changed(share, request);
        return;
    case FUSE_MKNOD:
    case FUSE_MKDIR:
        answer_made(share, request, request->opcode == FUSE_MKDIR);
        return;
    case FUSE_OPEN:
        answer_open(share, request);
        return;
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
        answer_moved(share, request);
        return;
    case FUSE_FLUSH:
        answer(share, request, 0, NULL, 0);
        return;
    default:
        answer(share, request, EIO, NULL, 0);
    }
}
