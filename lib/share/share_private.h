/* SPDX-License-Identifier: MIT
 *
 * share_private — what the parts of the FUSE server share: its state, and how nodes become files.
 *
 * Functions that return int return a descriptor or 0, or -errno.
 */
#pragma once

#include "handles.h"
#include "message.h"
#include "nodes.h"
#include "serve.h"
#include "transport.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <sys/inotify.h>
#include <sys/stat.h>

G_BEGIN_DECLS

/* Seconds that the guest may cache what is watched, and what is not. */
#define BERTH_SHARE_WATCHED   1e9
#define BERTH_SHARE_UNWATCHED 1.0

/* Of the data in an answer, bytes: what a socket takes at once on any host. */
#define SHARE_ANSWER_MAX (128u * 1024u)

typedef struct {
    int fd; /* O_PATH */
    bool read_only;
    guint64 node;
    struct BerthOverlay *overlay; /* its changes are kept there; or NULL */
    struct Share *share;          /* for the overlay */
    int hold_fd;                  /* where clients of the overlay connect; or -1 */
    struct Settled *settled;      /* before this server, and not shown yet: review.c; or NULL */
    struct BerthQuota *quota;     /* owned; NULL: no limit */
    const char *path;             /* as in BerthShareRoot */
    BerthNodeKey key;
} ShareRoot;

typedef struct ShareEcho ShareEcho;
typedef struct ShareEchoes ShareEchoes;
typedef struct ShareReplay ShareReplay;
typedef struct ShareAgain ShareAgain;
typedef struct ShareSettling ShareSettling;

typedef struct Share {
    struct fuse_session *session;
    GMutex lock; /* of nodes and watches */
    BerthLedger *ledger;
    BerthNodes *nodes;
    GHashTable *watches; /* inotify's number -> node */
    int inotify;
    int answers; /* libfuse's, for the transport */
    int report_fd;
    const char *distro;       /* its id */
    gint catching_up;         /* share_catch_up has not ended */
    guint64 number;           /* of this server, at random */
    gint lost;                /* as in WireSettle */
    int marker;               /* a file that only barriers watch */
    GHashTable *barriers;     /* inotify's number of a marker -> fuse_req_t */
    GPtrArray *held_barriers; /* until share_catch_up has ended */
    gint n_barriers;          /* not answered yet */
    BerthHandles *handles;
    ShareRoot *roots;
    guint n_roots;
    bool has_overlays, has_quotas;
    GHashTable *locked_copies; /* nodes: copies.c */
    gint has_locked_copies;
    uid_t uid, guest_uid;
    gid_t gid, guest_gid;
    BerthTransport *transport;
    GHashTable *locks;    /* owners of POSIX locks: requests_lock.c */
    GArray *lock_records; /* of the ledger, free ones; under locks_lock, as all of them */
    GMutex locks_lock;
    ShareEchoes *echoes;     /* echo.c */
    ShareReplay *replay;     /* replay.c */
    ShareAgain *again;       /* again.c */
    ShareSettling *settling; /* settling.c */
    gint waits;              /* threads that wait for a lock */
    struct {
        GMutex lock;
        GCond changed;
        guint holds;    /* clients that no request may disturb */
        guint requests; /* under way */
        bool alone;     /* the one that holds suffers no other */
    } hold;             /* review.c */
} Share;

/* A file as it is now, and as the guest sees it. */
typedef struct {
    BerthNodeKey key;
    struct stat attributes;
} ShareFile;

static inline Share *share_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

/* Write @text, of wire/share_report.h, to the keeper. False: it has gone. */
bool share_report(const Share *share, const char *text);

/* ---- places (place.c) ---- */

/* Open node @id with O_PATH, after a check that it is the node's file, and store the index of its
 * root. -ESTALE: the host has replaced or removed it, and the guest does not have it open. -ENOENT:
 * it is a directory that only leads to shares. */
int share_open_node(Share *share, fuse_ino_t id, int *ret_root);

/* The same where SHARE_LAYER_HOLD is in force. */
int share_open_held_node(Share *share, fuse_ino_t id);

/* The same before a change of it: -EROFS if its share is read-only. -ENOSPC: it would have to be
 * copied first, and its share's quota has no room. */
int share_open_to_change(Share *share, fuse_ino_t id);

/* The root that node @id lies in, or -1. */
int share_root_of(Share *share, fuse_ino_t id);

/* BerthHandlesOpen: what a former server had open. */
int share_open_again(guint64 id, bool is_directory, bool is_writable, int flags, int *ret_root,
                     gpointer share);

/* The file @name in @fd, or @fd itself with "". -EREMOTE: it is a mount of the guest's own distro,
 * which would wait for this server. */
int share_stat(const Share *share, int fd, const char *name, ShareFile *ret_file);

/* The number of a file as the guest sees it. */
ino_t share_shown_inode(const BerthNodeKey *key);

/* The attributes of a directory that only leads to shares. */
void share_fixed_attributes(const Share *share, guint64 id, struct stat *ret_attributes);

/* How long the guest may cache the entries of directory @parent, and the attributes of node @id. */
double share_entry_timeout(Share *share, guint64 parent);
double share_attribute_timeout(Share *share, fuse_ino_t id, const struct stat *attributes);

/* Record the lookup of @file as @name in @parent, open as @parent_fd, and fill the reply. */
void share_enter(Share *share, guint64 parent, int parent_fd, const char *name,
                 const ShareFile *file, struct fuse_entry_param *ret_entry);

/* The answer that follows makes the guest send FLUSH for node @id. Without this it does not. */
void share_want_flush(Share *share, fuse_ino_t id);

/* ---- changes of the host (changes.c) ---- */

/* Watch the directory @id, open as @fd, if it is not watched yet. */
void share_watch(Share *share, guint64 id, int fd);

/* Watch @name in @parent_fd, which is node @id, if it is a directory: a watcher in the guest only
 * looks its directory up. No more than some thousands are watched ahead of their use. */
void share_watch_ahead(Share *share, guint64 id, int parent_fd, const char *name,
                       const ShareFile *file);

/* BerthNodeFunc: end the watch of a forgotten node. */
void share_unwatch(const BerthNode *node, gpointer user_data);

/* Invalidate the guest's caches: of the attributes of @id, of all of it (of a directory, its list
 * too), and of the entry @name in @parent. */
void share_forget_attributes(Share *share, guint64 id);
void share_forget_data(Share *share, guint64 id);
void share_forget_entry(Share *share, guint64 parent, const char *name);
void share_forget_all(Share *share);

/* Read inotify events and invalidate the guest's caches, until inotify is closed. A thread's
 * function. */
gpointer share_follow_changes(gpointer share);

/* Record in the ledger that the guest has seen all of the host's changes up to now, unless some are
 * under way. */
void share_record_time(Share *share);

/* A time in nanoseconds that no file's time of a later change is before; with @after, one that none
 * of an earlier change is after. */
gint64 share_now(bool after);

/* ---- what happened before this server began (catch_up.c) ---- */

/* Invalidate what the guest has of places that a former server shared and this one does not, and
 * the reverse. @paths are those of both. */
void share_forget_former(Share *share, const char *const *paths);

/* Watch what a former server watched. False: there are not enough watches. */
bool share_watch_again(Share *share);

/* Invalidate what has changed between the ledger's time and @until, nanoseconds, when all was
 * watched, and have these changes repeated in the guest. */
void share_catch_up(Share *share, bool all_watched, gint64 until);

/* ---- barriers (barrier.c) ---- */

/* Answer @request, for WIRE_SETTLE_ATTRIBUTE with room for @size bytes, once the guest has handled
 * all changes that the host has made so far. */
void share_barrier_begin(fuse_req_t request, gsize size);

/* End share_catch_up: barriers wait for it. */
void share_barrier_caught_up(Share *share);

/* Whether @event is the mark of a barrier, which is queued behind the replays then. */
bool share_barrier_pass(Share *share, const struct inotify_event *event);

/* inotify's queue has overflowed, and may have lost the marks of barriers: all of them go on. */
void share_barrier_lost(Share *share);

/* Answer @request with the value, or with the error @problem. */
void share_barrier_answer(Share *share, fuse_req_t request, int problem);

/* ---- the guest's own changes (echo.c) ---- */

ShareEchoes *share_echoes_new(void);
void share_echoes_free(ShareEchoes *echoes);

/* inotify's events of names; the others are of files. */
#define SHARE_ENTRIES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

/* A request is about to cause the event @mask of @name in @parent, or of node @id where it was seen
 * last; its call follows, then the end. NULL, which the end accepts: nothing is watched there. */
ShareEcho *share_echo_begin(Share *share, guint64 parent, const char *name, guint32 mask);
ShareEcho *share_echo_begin_node(Share *share, fuse_ino_t id, guint32 mask);
void share_echo_end(Share *share, ShareEcho *echo, bool happened);

/* Make the change @call, which returns as a system call does, and expect the event of @echo. */
#define SHARE_WITH_ECHO(share, echo, call)                                                         \
    __extension__({                                                                                \
        ShareEcho *echo_ = (echo);                                                                 \
        ssize_t result_ = (call);                                                                  \
        int problem_ = errno;                                                                      \
        share_echo_end(share, echo_, result_ >= 0);                                                \
        errno = problem_;                                                                          \
        result_;                                                                                   \
    })

/* Whether an event is the guest's own; it is not expected any more then. One of a name waits for a
 * call that is under way, so the answer is exact. One of a file may have been merged with a change
 * of the host's. */
bool share_echo_consume(Share *share, guint64 parent, const char *name, guint32 mask);

/* Read events. When all that was read is handled, share_echo_handled must be called. */
ssize_t share_echo_read(Share *share, void *buffer, gsize size);
void share_echo_handled(Share *share);

/* Whether all events so far were handled. */
bool share_echo_is_handled(Share *share);

/* ---- the host's changes, repeated in the guest (replay.c) ---- */

/* The numbers that stand for no file follow @offset, as those of nodes do. */
ShareReplay *share_replay_new(guint64 offset);
void share_replay_free(Share *share);

/* Repeat the change that @event reports in directory @parent, after all earlier ones. False: too
 * many waited, and all were dropped. */
bool share_replay_event(Share *share, guint64 parent, const struct inotify_event *event);

/* The same of a move. No name: from, or to, a directory that is not watched. */
bool share_replay_move(Share *share, guint64 parent, const char *name, guint64 new_parent,
                       const char *new_name, bool is_directory);

/* Events were lost: have the guest log it; with @drops, and drop those that wait. */
void share_replay_lost(Share *share, bool drops);

/* Answer the barrier @request when all changes so far were repeated. */
void share_replay_barrier(Share *share, fuse_req_t request);

/* Whether all changes were repeated. */
bool share_replay_is_done(Share *share);

/* Whether a change in directory @parent is being repeated. The guest must not cache its entries:
 * the replay has to see others. */
bool share_replay_is_in(Share *share, guint64 parent);

/* Repeat the change @kind, one of inotify's, of @name in @parent. False: as share_replay_event. */
bool share_replay_change(Share *share, guint64 parent, const char *name, bool is_directory,
                         guint32 kind);

/* Send the client @fd (taken) BERTH_OVERLAY_SHOWN once all changes so far were repeated. */
void share_replay_acknowledge(Share *share, int fd);

/* Report to the keeper that the guest is ready for this server, once it has handled all that was
 * sent to it so far. */
void share_replay_report_ready(Share *share);

/* Handle a message of the carrier or a request of its replay, checked; false: it is neither. */
bool share_replay_handle(Share *share, const guint8 *message);

/* ---- changes that are accepted or discarded (review.c) ---- */

void share_hold_init(Share *share);
void share_hold_clear(Share *share);

/* A request of the guest's begins, once no client has an overlay; and ends. */
void share_hold_enter(Share *share);
void share_hold_leave(Share *share);

/* Let no request begin, and wait until none is under way; and the end of that. */
void share_hold_begin(Share *share);
void share_hold_end(Share *share);

/* The same while no client has an overlay, and none gets one. */
void share_hold_begin_alone(Share *share);

/* Wait until no client has an overlay. It may get one meanwhile: what the caller handles is older
 * then than all that the client does. */
void share_hold_wait(Share *share);

/* Read what was settled before this server, which has the nodes and not yet the open files of a
 * former one if it @is_again. */
void share_reviews_resume(Share *share, bool is_again);

/* Show the guest what that was, and serve clients. */
void share_reviews_start(Share *share);

/* ---- what a former server was asked (again.c) ---- */

ShareAgain *share_again_new(void);
void share_again_free(ShareAgain *again);

/* Read which changes a former server had begun. The nodes are there, and no handles yet. */
void share_again_resume(Share *share);

/* The request @message of *@size bytes begins. False: a former server has made the change, and it
 * was answered; else it is to be handled, with the size and the form that it has now, and its end
 * is to be recorded with *@ret_place (berth_ledger_end_change). */
bool share_again_begin(Share *share, guint8 *message, gsize *size, int *ret_place);

/* ---- opens that wait (settling.c) ---- */

ShareSettling *share_settling_new(void);
void share_settling_free(ShareSettling *settling);

/* The guest has files of a former server in its caches: opens wait until it has handled all that
 * they may have changed meanwhile. */
void share_settling_begin(Share *share);

/* Keep the request @message of @size bytes if it has to wait; false: it has not. */
bool share_settling_keep(Share *share, const guint8 *message, gsize size);

/* The guest has handled it: those that wait are handled in a thread of their own. */
void share_settling_end(Share *share);

/* Handle a request, which may change @message. */
void share_serve_request(Share *share, guint8 *message, gsize size);

/* ---- the guest's requests ---- */

void share_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void share_forget(fuse_req_t request, fuse_ino_t id, uint64_t count);
void share_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void share_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void share_setattr(fuse_req_t request, fuse_ino_t id, struct stat *attributes, int which,
                   struct fuse_file_info *info);
void share_readlink(fuse_req_t request, fuse_ino_t id);
void share_statfs(fuse_req_t request, fuse_ino_t id);
void share_setxattr(fuse_req_t request, fuse_ino_t id, const char *name, const char *value,
                    size_t size, int flags);
void share_getxattr(fuse_req_t request, fuse_ino_t id, const char *name, size_t size);
void share_listxattr(fuse_req_t request, fuse_ino_t id, size_t size);
void share_removexattr(fuse_req_t request, fuse_ino_t id, const char *name);

void share_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                 dev_t device);
void share_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void share_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void share_link(fuse_req_t request, fuse_ino_t id, fuse_ino_t parent, const char *name);
void share_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void share_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void share_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags);
void share_opendir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void share_readdir(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                   struct fuse_file_info *info);
void share_readdirplus(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                       struct fuse_file_info *info);
void share_releasedir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void share_fsyncdir(fuse_req_t request, fuse_ino_t id, int data, struct fuse_file_info *info);

void share_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                  struct fuse_file_info *info);
void share_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void share_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                struct fuse_file_info *info);
void share_write(fuse_req_t request, fuse_ino_t id, const char *bytes, size_t size, off_t offset,
                 struct fuse_file_info *info);
void share_flush(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void share_release(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void share_fsync(fuse_req_t request, fuse_ino_t id, int data, struct fuse_file_info *info);
void share_fallocate(fuse_req_t request, fuse_ino_t id, int mode, off_t offset, off_t length,
                     struct fuse_file_info *info);
void share_copy(fuse_req_t request, fuse_ino_t from_id, off_t from,
                struct fuse_file_info *from_info, fuse_ino_t to_id, off_t to,
                struct fuse_file_info *to_info, size_t length, int flags);
void share_lseek(fuse_req_t request, fuse_ino_t id, off_t offset, int whence,
                 struct fuse_file_info *info);

/* As pwrite by @fd, a descriptor of the file of @handle, of as much as its quota has room for;
 * -errno. With O_APPEND the kernel writes at the end. */
ssize_t share_write_within(Share *share, const BerthHandle *handle, int fd, const char *bytes,
                           size_t size, off_t offset);

void share_getlk(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info,
                 struct flock *lock);
void share_setlk(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info, struct flock *lock,
                 int wait);
void share_flock(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info, int operation);

/* The locks of @owner on node @id end. */
void share_unlock_owner(Share *share, fuse_ino_t id, guint64 owner);

/* Fill share->locks; waits for locks can be interrupted by SIGUSR1 from now on. */
void share_locks_init(Share *share);
void share_locks_clear(Share *share);

/* Take the locks that the guest had by a former server, which has ended. The handles have those of
 * flock already. A file of which another program has taken a lock meanwhile is of no more use by
 * the handles that were open: EIO, as of NFS. */
void share_locks_resume(Share *share);

G_END_DECLS
