/* SPDX-License-Identifier: MIT
 *
 * Has the host's changes repeated on the guest's mount, so that watchers there see them.
 *
 * One change at a time, in the order of inotify's events: the carrier gets a command
 * (wire/replay.h), its requests are answered here, and its acknowledgement starts the next. The
 * host may be far ahead of the change that is replayed. So the requests see the names as they were
 * at that change: a file that is gone meanwhile, or that the guest does not know, is a phantom, a
 * number that no node has. Entries are answered without a time limit to cache them, so only the
 * replay sees phantoms.
 *
 * The guest decides which requests are a replay's. None reaches a file here; one that lies is told
 * of nothing but the attributes of nodes that it has, and of the change under way.
 */
#include "share_private.h"

#include "base/fd.h"
#include "layer.h"
#include "wire/replay.h"
#include "wire/share_report.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/inotify.h>

#define QUEUE_MAX 16384u             /* as inotify's own */
#define PHANTOM   ((guint64)1 << 63) /* nodes, of any server, are below */
#define ATTIC     PHANTOM            /* phantoms follow it by an offset of 1 << 32 at least */
#define HANDLE    G_MAXUINT64        /* of a file opened by a replay */
#define TRIES     2u

typedef struct {
    WireReplayKind kind;
    guint64 parent, new_parent; /* BERTH_NODE_NONE: the attic */
    char *name, *new_name;
    bool is_directory;
    guint64 node; /* what @name is; a node is held */
    guint tries;
    bool done; /* the guest asked for the operation itself */
} Task;

struct ShareReplay {
    GMutex lock;
    GQueue waiting; /* of Task */
    Task *task;     /* under way */
    guint64 sequence;
    guint64 phantom; /* the last */
};

static Task *task_new(WireReplayKind kind, guint64 parent, const char *name, bool is_directory)
{
    Task *task = g_new0(Task, 1);
    task->kind = kind;
    task->parent = parent;
    task->name = g_strdup(name);
    task->is_directory = is_directory;
    return task;
}

static void task_free(Share *share, Task *task)
{
    g_mutex_lock(&share->lock);
    berth_nodes_forget(share->nodes, task->node, 1);
    g_mutex_unlock(&share->lock);
    g_free(task->name);
    g_free(task->new_name);
    g_free(task);
}

ShareReplay *share_replay_new(guint64 offset)
{
    ShareReplay *replay = g_new0(ShareReplay, 1);
    g_mutex_init(&replay->lock);
    g_queue_init(&replay->waiting);
    replay->phantom = PHANTOM | offset;
    return replay;
}

void share_replay_free(Share *share)
{
    ShareReplay *replay = share->replay;
    for (Task *task; (task = g_queue_pop_head(&replay->waiting)) != NULL;)
        task_free(share, task);
    if (replay->task != NULL)
        task_free(share, replay->task);
    g_mutex_clear(&replay->lock);
    g_free(replay);
}

static bool is_phantom(guint64 id)
{
    return (id & PHANTOM) != 0;
}

/* ---- commands ---- */

/* struct fuse_notify_inval_entry_out; linux/fuse.h has the flag since 7.38. */
#define EXPIRE_ONLY 1u

typedef struct {
    guint64 parent;
    guint32 length;
    guint32 flags;
} Expiry;

/* The path of directory @id from the mount's root. False: it has none. */
static bool find_path(Share *share, guint64 id, GString *ret_path)
{
    g_string_assign(ret_path, id == BERTH_NODE_NONE ? WIRE_REPLAY_ATTIC : "");
    if (id == BERTH_NODE_NONE)
        return true;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    while (id != BERTH_NODE_ROOT) {
        const BerthNode *node = berth_nodes_get(share->nodes, id);
        if (node == NULL)
            return false;
        g_string_prepend_c(ret_path, '/');
        g_string_prepend(ret_path, node->name);
        id = node->parent;
    }
    return true;
}

static void send_command(Share *share, guint64 sequence, const Task *task, const char *directory,
                         const char *new_directory)
{
    const char *names[WIRE_REPLAY_NAMES] = {directory, task->name, new_directory,
                                            task->new_name != NULL ? task->new_name : ""};
    struct fuse_out_header header = {.error = WIRE_REPLAY_CODE};
    const WireReplay command = {.sequence = sequence, .kind = task->kind};
    g_autoptr(GByteArray) message = g_byte_array_new();
    g_byte_array_append(message, (const guint8 *)&header, sizeof(header));
    g_byte_array_append(message, (const guint8 *)&command, sizeof(command));
    for (guint i = 0; i < WIRE_REPLAY_NAMES; i++)
        g_byte_array_append(message, (const guint8 *)names[i], (guint)strlen(names[i]) + 1);
    header.len = message->len;
    memcpy(message->data, &header, sizeof(header));
    berth_transport_send(share->transport, message->data, message->len);
}

/* Have the guest ask for @name in @parent again, if it has it cached. It stays a name meanwhile: it
 * may be somebody's working directory. */
static void expire_name(Share *share, guint64 parent, const char *name)
{
    const Expiry expiry = {.parent = parent, .length = (guint32)strlen(name), .flags = EXPIRE_ONLY};
    struct fuse_out_header header = {.error = FUSE_NOTIFY_INVAL_ENTRY};
    g_autoptr(GByteArray) message = g_byte_array_new();
    if (parent == BERTH_NODE_NONE)
        return;
    header.len = (guint32)(sizeof(header) + sizeof(expiry) + expiry.length + 1);
    g_byte_array_append(message, (const guint8 *)&header, sizeof(header));
    g_byte_array_append(message, (const guint8 *)&expiry, sizeof(expiry));
    g_byte_array_append(message, (const guint8 *)name, expiry.length + 1);
    berth_transport_send(share->transport, message->data, message->len);
}

static bool has_no_operation(const Task *task)
{
    return task->kind == WIRE_REPLAY_LOST || task->kind == WIRE_REPLAY_NONE;
}

/* Send the command of the task under way. False: its directories have no path. */
static bool start(Share *share, guint64 sequence, const Task *task)
{
    g_autoptr(GString) directory = g_string_new(NULL);
    g_autoptr(GString) new_directory = g_string_new(NULL);
    if (has_no_operation(task)) {
        send_command(share, sequence, task, "", "");
        return true;
    }
    if (!find_path(share, task->parent, directory) ||
        (task->new_name != NULL && !find_path(share, task->new_parent, new_directory)))
        return false;
    expire_name(share, task->parent, task->name);
    if (task->new_name != NULL)
        expire_name(share, task->new_parent, task->new_name);
    send_command(share, sequence, task, directory->str, new_directory->str);
    return true;
}

/* Start the next task unless one is under way. */
static void go_on(Share *share)
{
    ShareReplay *replay = share->replay;
    for (;;) {
        g_mutex_lock(&replay->lock);
        Task *task = replay->task == NULL ? g_queue_pop_head(&replay->waiting) : NULL;
        guint64 sequence = task != NULL ? ++replay->sequence : 0;
        if (task != NULL)
            replay->task = task;
        g_mutex_unlock(&replay->lock);
        if (task == NULL || start(share, sequence, task))
            return;
        g_mutex_lock(&replay->lock);
        replay->task = NULL;
        g_mutex_unlock(&replay->lock);
        task_free(share, task);
    }
}

/* The guest has not done it: once more, with files that it cannot know. */
static bool try_again(Task *task, int problem)
{
    bool over = has_no_operation(task) || (task->done && problem == 0);
    return !over && ++task->tries < TRIES;
}

static void acknowledge(Share *share, guint64 sequence, int problem)
{
    ShareReplay *replay = share->replay;
    g_mutex_lock(&replay->lock);
    Task *task = sequence == replay->sequence ? replay->task : NULL;
    bool again = task != NULL && try_again(task, problem);
    guint64 former = BERTH_NODE_NONE;
    if (again) {
        former = task->node;
        task->node = ++replay->phantom;
        task->done = false;
        g_queue_push_head(&replay->waiting, task);
    }
    if (task != NULL)
        replay->task = NULL;
    g_mutex_unlock(&replay->lock);
    if (again) {
        g_mutex_lock(&share->lock);
        berth_nodes_forget(share->nodes, former, 1);
        g_mutex_unlock(&share->lock);
    } else if (task != NULL) {
        if (task->kind == WIRE_REPLAY_NONE)
            share_report(share, SHARE_REPORT_READY);
        task_free(share, task);
    }
    go_on(share);
    share_record_time(share);
}

bool share_replay_is_done(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->replay->lock);
    return share->replay->task == NULL && g_queue_is_empty(&share->replay->waiting);
}

/* ---- events ---- */

static void drop_waiting(Share *share)
{
    ShareReplay *replay = share->replay;
    GQueue dropped = replay->waiting;
    g_queue_init(&replay->waiting);
    g_mutex_unlock(&replay->lock);
    for (Task *task; (task = g_queue_pop_head(&dropped)) != NULL;)
        task_free(share, task);
    g_mutex_lock(&replay->lock);
}

void share_replay_lost(Share *share, bool drops)
{
    ShareReplay *replay = share->replay;
    g_mutex_lock(&replay->lock);
    if (drops)
        drop_waiting(share);
    g_queue_push_tail(&replay->waiting, task_new(WIRE_REPLAY_LOST, BERTH_NODE_NONE, "", false));
    g_mutex_unlock(&replay->lock);
    go_on(share);
}

void share_replay_report_ready(Share *share)
{
    Task *task = g_new0(Task, 1);
    task->kind = WIRE_REPLAY_NONE;
    task->name = g_strdup("");
    g_mutex_lock(&share->replay->lock);
    g_queue_push_head(&share->replay->waiting, task); /* no flood of events drops it */
    g_mutex_unlock(&share->replay->lock);
    go_on(share);
}

/* Queue @task. False: there were too many, and all are dropped. */
static bool add(Share *share, Task *task)
{
    ShareReplay *replay = share->replay;
    g_mutex_lock(&replay->lock);
    bool full = g_queue_get_length(&replay->waiting) >= QUEUE_MAX;
    if (task->node == BERTH_NODE_NONE)
        task->node = ++replay->phantom;
    g_queue_push_tail(&replay->waiting, task);
    g_mutex_unlock(&replay->lock);
    if (full)
        share_replay_lost(share, true);
    else
        go_on(share);
    return !full;
}

static bool is_there(Share *share, guint64 parent, const char *name, const BerthNodeKey *key)
{
    ShareFile file = {0};
    berth_autofd int fd = share_open_node(share, parent, NULL);
    return fd >= 0 && share_layer_look(share, parent, fd, name, &file) == 0 &&
           memcmp(key, &file.key, sizeof(*key)) == 0;
}

/* What has become of the file since the event. */
typedef enum {
    STAYED,
    MOVED,
    REMOVED, /* of a directory: its own watch has ended; the guest's kernel never uses it again */
} Fate;

/* The node @name in @parent, held, if it is a directory as @is_directory says and @fate is its own;
 * BERTH_NODE_NONE: the guest does not have it. */
static guint64 hold_node(Share *share, guint64 parent, const char *name, bool is_directory,
                         Fate fate)
{
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    const BerthNode *found = berth_nodes_get(share->nodes, id);
    BerthNode node = found != NULL ? *found : (BerthNode){0};
    bool right = found != NULL && !node.fixed &&
                 (is_directory ? node.type == S_IFDIR >> 12 : node.type == S_IFREG >> 12) &&
                 (fate != REMOVED || !is_directory || node.is_gone);
    if (right)
        berth_nodes_hold(share->nodes, id);
    g_mutex_unlock(&share->lock);
    if (!right)
        return BERTH_NODE_NONE;
    if (is_there(share, parent, name, &node.key) == (fate == STAYED))
        return id;
    g_mutex_lock(&share->lock);
    berth_nodes_forget(share->nodes, id, 1);
    g_mutex_unlock(&share->lock);
    return BERTH_NODE_NONE;
}

bool share_replay_event(Share *share, guint64 parent, const struct inotify_event *event)
{
    static const struct {
        guint32 mask;
        WireReplayKind kind, kind_of_directory;
    } kinds[] = {
        {IN_CREATE, WIRE_REPLAY_CREATE, WIRE_REPLAY_CREATE_DIRECTORY},
        {IN_DELETE, WIRE_REPLAY_DELETE, WIRE_REPLAY_DELETE_DIRECTORY},
        {IN_ATTRIB, WIRE_REPLAY_ATTRIBUTES, WIRE_REPLAY_ATTRIBUTES},
        {IN_MODIFY, WIRE_REPLAY_MODIFY, 0},
        {IN_CLOSE_WRITE, WIRE_REPLAY_CLOSE, 0},
    };
    bool is_directory = (event->mask & IN_ISDIR) != 0;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        WireReplayKind kind = is_directory ? kinds[i].kind_of_directory : kinds[i].kind;
        if ((event->mask & kinds[i].mask) == 0 || kind == 0)
            continue;
        Task *task = task_new(kind, parent, event->name, is_directory);
        if (kinds[i].mask != IN_CREATE)
            task->node = hold_node(share, parent, event->name, is_directory,
                                   kinds[i].mask == IN_DELETE ? REMOVED : STAYED);
        if (kinds[i].mask == IN_DELETE && !is_phantom(task->node) && task->node != 0) {
            g_mutex_lock(&share->lock);
            berth_nodes_remove(share->nodes, parent, event->name);
            g_mutex_unlock(&share->lock);
        }
        return add(share, task);
    }
    return true;
}

bool share_replay_move(Share *share, guint64 parent, const char *name, guint64 new_parent,
                       const char *new_name, bool is_directory)
{
    Task *task = task_new(WIRE_REPLAY_MOVE, parent, name != NULL ? name : "file", is_directory);
    task->new_parent = new_parent;
    task->new_name = g_strdup(new_name != NULL ? new_name : "file");
    if (name != NULL)
        task->node = hold_node(share, parent, name, is_directory, MOVED);
    return add(share, task);
}

bool share_replay_is_in(Share *share, guint64 parent)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->replay->lock);
    const Task *task = share->replay->task;
    return task != NULL && (task->parent == parent || task->new_parent == parent);
}

/* ---- the replay's requests ---- */

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
    if (is_phantom(id))
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
static bool is_elsewhere(Share *share, const Task *task)
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
    const Task *task = share->replay->task;
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
    const Task *task = share->replay->task;
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
    Task *task = share->replay->task;
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
    if (!is_phantom(id))
        answer(share, request, EIO, NULL, 0);
    else
        answer_entry(share, request, id, is_directory);
}

static void answer_moved(Share *share, const struct fuse_in_header *request)
{
    bool asked = mark_done(share) != BERTH_NODE_NONE;
    answer(share, request, asked ? 0 : EIO, NULL, 0);
}

static void answer_replay(Share *share, const struct fuse_in_header *request, const guint8 *body)
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

bool share_replay_handle(Share *share, const guint8 *message)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    if (header.opcode == WIRE_REPLAY_ACK) {
        acknowledge(share, header.unique, (int)MIN(header.nodeid, G_MAXINT));
        return true;
    }
    if (header.pid != WIRE_REPLAY_PID)
        return false;
    if (berth_message_wants_answer(message))
        answer_replay(share, &header, message + sizeof(header));
    return true;
}
