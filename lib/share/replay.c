/* SPDX-License-Identifier: MIT
 *
 * Has the host's changes repeated on the guest's mount, so that watchers there see them.
 *
 * One change at a time, in the order of inotify's events: the carrier gets a command
 * (wire/replay.h), replay_answers.c answers its requests, and its acknowledgement starts the next.
 * The host may be far ahead of the change that is replayed. So the requests see the names as they
 * were at that change: a file that is gone meanwhile, or that the guest does not know, is a
 * phantom, a number that no node has. Entries are answered without a time limit to cache them, so
 * only the replay sees phantoms.
 *
 * The guest decides which requests are a replay's. None reaches a file here; one that lies is told
 * of nothing but the attributes of nodes that it has, and of the change under way.
 */
#include "replay_private.h"

#include "base/fd.h"
#include "layer.h"
#include "overlay/hold.h"
#include "wire/share_report.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

#define QUEUE_MAX 16384u /* as inotify's own */
#define TRIES     2u

static ReplayTask *task_new(WireReplayKind kind, guint64 parent, const char *name,
                            bool is_directory)
{
    ReplayTask *task = g_new0(ReplayTask, 1);
    task->kind = kind;
    task->parent = parent;
    task->name = g_strdup(name);
    task->is_directory = is_directory;
    task->client = -1;
    return task;
}

static void task_free(Share *share, ReplayTask *task)
{
    if (task->barrier != NULL)
        share_barrier_answer(share, task->barrier, EAGAIN);
    berth_fd_close(&task->client);
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
    replay->phantom = SHARE_REPLAY_PHANTOM | offset;
    return replay;
}

void share_replay_free(Share *share)
{
    ShareReplay *replay = share->replay;
    for (ReplayTask *task; (task = g_queue_pop_head(&replay->waiting)) != NULL;)
        task_free(share, task);
    if (replay->task != NULL)
        task_free(share, replay->task);
    g_mutex_clear(&replay->lock);
    g_free(replay);
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

static void send_command(Share *share, guint64 sequence, const ReplayTask *task,
                         const char *directory, const char *new_directory)
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

static bool has_no_operation(const ReplayTask *task)
{
    return task->kind == WIRE_REPLAY_LOST || task->kind == WIRE_REPLAY_NONE;
}

/* Send the command of the task under way. False: its directories have no path. */
static bool start(Share *share, guint64 sequence, const ReplayTask *task)
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
        ReplayTask *task = replay->task == NULL ? g_queue_pop_head(&replay->waiting) : NULL;
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
static bool try_again(ReplayTask *task, int problem)
{
    bool over = has_no_operation(task) || (task->done && problem == 0);
    return !over && ++task->tries < TRIES;
}

static void report_ready(Share *share)
{
    share_report(share, SHARE_REPORT_READY);
    share_settling_end(share);
}

/* The guest does not do it again. */
static void finish(Share *share, ReplayTask *task, int problem)
{
    if (task->barrier != NULL)
        share_barrier_answer(share, g_steal_pointer(&task->barrier), problem);
    else if (task->client >= 0)
        berth_overlay_send(task->client, BERTH_OVERLAY_SHOWN);
    else if (task->kind == WIRE_REPLAY_NONE)
        report_ready(share);
    else if (task->kind != WIRE_REPLAY_LOST && (!task->done || problem != 0))
        g_atomic_int_inc(&share->lost); /* no watcher has seen it */
}

static void acknowledge(Share *share, guint64 sequence, int problem)
{
    ShareReplay *replay = share->replay;
    g_mutex_lock(&replay->lock);
    ReplayTask *task = sequence == replay->sequence ? replay->task : NULL;
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
        finish(share, task, problem);
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
    for (ReplayTask *task; (task = g_queue_pop_head(&dropped)) != NULL;)
        task_free(share, task);
    g_mutex_lock(&replay->lock);
}

void share_replay_lost(Share *share, bool drops)
{
    ShareReplay *replay = share->replay;
    g_atomic_int_inc(&share->lost);
    g_mutex_lock(&replay->lock);
    if (drops)
        drop_waiting(share);
    g_queue_push_tail(&replay->waiting, task_new(WIRE_REPLAY_LOST, BERTH_NODE_NONE, "", false));
    g_mutex_unlock(&replay->lock);
    go_on(share);
}

void share_replay_report_ready(Share *share)
{
    ReplayTask *task = task_new(WIRE_REPLAY_NONE, BERTH_NODE_NONE, "", false);
    g_mutex_lock(&share->replay->lock);
    g_queue_push_head(&share->replay->waiting, task); /* no flood of events drops it */
    g_mutex_unlock(&share->replay->lock);
    go_on(share);
}

void share_replay_barrier(Share *share, fuse_req_t request)
{
    ReplayTask *task = task_new(WIRE_REPLAY_NONE, BERTH_NODE_NONE, "", false);
    task->barrier = request;
    g_mutex_lock(&share->replay->lock);
    g_queue_push_tail(&share->replay->waiting, task);
    g_mutex_unlock(&share->replay->lock);
    go_on(share);
}

void share_replay_acknowledge(Share *share, int fd)
{
    ReplayTask *task = task_new(WIRE_REPLAY_NONE, BERTH_NODE_NONE, "", false);
    task->client = fd;
    g_mutex_lock(&share->replay->lock);
    g_queue_push_tail(&share->replay->waiting, task);
    g_mutex_unlock(&share->replay->lock);
    go_on(share);
}

/* Queue @task. False: there were too many, and all are dropped. */
static bool add(Share *share, ReplayTask *task)
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
        ReplayTask *task = task_new(kind, parent, event->name, is_directory);
        if (kinds[i].mask != IN_CREATE)
            task->node = hold_node(share, parent, event->name, is_directory,
                                   kinds[i].mask == IN_DELETE ? REMOVED : STAYED);
        if (kinds[i].mask == IN_DELETE && !share_replay_is_phantom(task->node) && task->node != 0) {
            g_mutex_lock(&share->lock);
            berth_nodes_remove(share->nodes, parent, event->name);
            g_mutex_unlock(&share->lock);
        }
        return add(share, task);
    }
    return true;
}

bool share_replay_change(Share *share, guint64 parent, const char *name, bool is_directory,
                         guint32 kind)
{
    gsize size = strlen(name) + 1;
    g_autofree struct inotify_event *event = g_malloc0(sizeof(*event) + size);
    event->mask = kind | (is_directory ? IN_ISDIR : 0);
    event->len = (guint32)size;
    memcpy(event->name, name, size);
    return share_replay_event(share, parent, event);
}

bool share_replay_move(Share *share, guint64 parent, const char *name, guint64 new_parent,
                       const char *new_name, bool is_directory)
{
    ReplayTask *task =
        task_new(WIRE_REPLAY_MOVE, parent, name != NULL ? name : "file", is_directory);
    task->new_parent = new_parent;
    task->new_name = g_strdup(new_name != NULL ? new_name : "file");
    if (name != NULL)
        task->node = hold_node(share, parent, name, is_directory, MOVED);
    return add(share, task);
}

bool share_replay_is_in(Share *share, guint64 parent)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->replay->lock);
    const ReplayTask *task = share->replay->task;
    return task != NULL && (task->parent == parent || task->new_parent == parent);
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
        share_replay_answer(share, &header, message + sizeof(header));
    return true;
}
