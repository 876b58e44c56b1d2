/* SPDX-License-Identifier: MIT */
#include "share_private.h"

#include "base/error.h"
#include "base/fd.h"
#include "charge.h"
#include "confine_share.h"
#include "layer.h"
#include "transport.h"
#include "wire/replay.h"
#include "wire/share_report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 4u

static void on_init(void *user_data, struct fuse_conn_info *connection)
{
    const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                            FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
                            FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS |
                            FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_ASYNC_DIO;
    connection->want = connection->capable & wanted;
    connection->max_background = 64;
    connection->congestion_threshold = 48;
    connection->time_gran = 1;
}

static const struct fuse_lowlevel_ops operations = {
    .init = on_init,
    .lookup = share_lookup,
    .forget = share_forget,
    .forget_multi = share_forget_multi,
    .getattr = share_getattr,
    .setattr = share_setattr,
    .readlink = share_readlink,
    .statfs = share_statfs,
    .setxattr = share_setxattr,
    .getxattr = share_getxattr,
    .listxattr = share_listxattr,
    .removexattr = share_removexattr,
    .mknod = share_mknod,
    .mkdir = share_mkdir,
    .symlink = share_symlink,
    .link = share_link,
    .unlink = share_unlink,
    .rmdir = share_rmdir,
    .rename = share_rename,
    .opendir = share_opendir,
    .readdir = share_readdir,
    .readdirplus = share_readdirplus,
    .releasedir = share_releasedir,
    .fsyncdir = share_fsyncdir,
    .create = share_create,
    .open = share_open,
    .read = share_read,
    .write = share_write,
    .flush = share_flush,
    .release = share_release,
    .fsync = share_fsync,
    .fallocate = share_fallocate,
    .copy_file_range = share_copy,
    .lseek = share_lseek,
    .getlk = share_getlk,
    .setlk = share_setlk,
    .flock = share_flock,
};

bool share_report(const Share *share, const char *text)
{
    size_t size = strlen(text) + 1;
    return write(share->report_fd, text, size) == (ssize_t)size;
}

void share_serve_request(Share *share, guint8 *message, gsize size)
{
    int place;
    share_copies_before_request(share, message);
    share_hold_enter(share);
    if (share_again_begin(share, message, &size, &place))
        fuse_session_process_buf(share->session, &(struct fuse_buf){.mem = message, .size = size});
    berth_ledger_end_change(share->ledger, place);
    share_hold_leave(share);
}

/* Handle a request in @bytes; false: there are no more. */
static bool serve_next(Share *share, void *bytes)
{
    ssize_t size = berth_transport_read(share->transport, bytes, BERTH_TRANSPORT_REQUEST_MAX);
    if (size < 0)
        return false;
    if (berth_message_is_use(bytes))
        berth_ledger_count_request(share->ledger);
    if (!share_replay_handle(share, bytes) && !share_settling_keep(share, bytes, (gsize)size))
        share_serve_request(share, bytes, (gsize)size);
    berth_transport_handled(share->transport, bytes);
    berth_transport_flush(share->transport);
    return !fuse_session_exited(share->session);
}

static gpointer serve_requests(gpointer data)
{
    g_autofree void *bytes = g_malloc(BERTH_TRANSPORT_REQUEST_MAX);
    while (serve_next(data, bytes))
        continue;
    return NULL;
}

static void close_root(ShareRoot *root)
{
    g_clear_pointer(&root->overlay, berth_overlay_free);
    g_clear_pointer(&root->quota, berth_quota_free);
    berth_fd_close(&root->hold_fd);
    berth_fd_close(&root->fd);
}

/* No component of the path may be a symbolic link: the share is this directory. A root that failed
 * stays closed and has no node. */
static bool open_root(Share *share, guint index, const BerthShareRoot *root, GError **error)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    ShareRoot *opened = &share->roots[index];
    opened->read_only = root->read_only;
    opened->path = root->path;
    opened->fd = (int)syscall(SYS_openat2, AT_FDCWD, root->source, &how, sizeof(how));
    if (opened->fd < 0) {
        berth_error_set_errno(error, errno, "share.root", "%s", root->source);
        return false;
    }
    if ((root->overlay != NULL && !share_layer_start(share, index, root->overlay, error)) ||
        !share_quota_start(share, index, root, error)) {
        close_root(opened);
        return false;
    }
    ShareFile file = {0};
    if (share_stat(share, opened->fd, "", &file) == 0)
        opened->key = file.key;
    opened->node = berth_nodes_add_share(share->nodes, root->path, index, &opened->key);
    if (opened->node != BERTH_NODE_NONE)
        return true;
    close_root(opened);
    berth_error_set(error, BERTH_ERROR_INVALID, "share.root", NULL,
                    "%s: another share is at /%s already, or within it", root->source, root->path);
    return false;
}

static void share_free(Share *share)
{
    if (share->session != NULL)
        fuse_session_destroy(share->session);
    berth_fd_close(&share->inotify);
    berth_fd_close(&share->marker);
    g_hash_table_unref(share->barriers);
    g_ptr_array_unref(share->held_barriers);
    share_replay_free(share);
    share_settling_free(share->settling);
    share_again_free(share->again);
    share_echoes_free(share->echoes);
    berth_nodes_free(share->nodes);
    berth_ledger_free(share->ledger);
    for (guint i = 0; i < share->n_roots; i++)
        close_root(&share->roots[i]);
    g_free(share->roots);
    berth_handles_free(share->handles);
    share_locks_clear(share);
    berth_transport_free(share->transport);
    berth_fd_close(&share->answers);
    g_hash_table_unref(share->watches);
    g_hash_table_unref(share->locked_copies);
    share_hold_clear(share);
    g_mutex_clear(&share->lock);
    g_free(share);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Share, share_free)

/* Of numbers: the guest may still use those of a former server. */
static guint64 new_offset(void)
{
    return (guint64)g_random_int_range(1, G_MAXINT32) << 32;
}

static Share *share_new(const BerthShareSetup *setup, GError **error)
{
    BerthLedger *ledger = berth_ledger_open(setup->ledger_fd, error);
    if (ledger == NULL)
        return NULL;
    Share *share = g_new0(Share, 1);
    g_mutex_init(&share->lock);
    share_hold_init(share);
    share->watches = g_hash_table_new(NULL, NULL);
    share->locked_copies = g_hash_table_new(NULL, NULL);
    share->inotify = -1;
    share->marker = -1;
    share->number = new_offset() | g_random_int();
    share->barriers = g_hash_table_new(NULL, NULL);
    share->held_barriers = g_ptr_array_new();
    share->answers = -1;
    share->ledger = ledger;
    share->nodes = berth_nodes_new(0, NULL, share_unwatch, share); /* to check the paths */
    share->echoes = share_echoes_new();
    share->again = share_again_new();
    share->settling = share_settling_new();
    share->replay = share_replay_new(new_offset()); /* phantoms are each server's own */
    share->handles = berth_handles_new(share->ledger);
    share->uid = geteuid();
    share->gid = getegid();
    share->report_fd = setup->report_fd;
    share->distro = setup->distro;
    share->guest_uid = setup->guest_uid;
    share->guest_gid = setup->guest_gid;
    share->roots = g_new0(ShareRoot, setup->n_roots);
    share->n_roots = setup->n_roots;
    for (guint i = 0; i < setup->n_roots; i++)
        share->roots[i].fd = share->roots[i].hold_fd = -1;
    share_locks_init(share);
    return share;
}

/* Make the socket that libfuse writes its answers to, each whole, and the transport that reads
 * them. */
static int open_answers(Share *share, int port_fd)
{
    const int room = 2 * (int)SHARE_ANSWER_MAX;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* or the host's default */
    share->answers = pair[1];
    share->transport = berth_transport_new(port_fd, pair[1]);
    return pair[0];
}

/* libfuse has a call for a transport that is not /dev/fuse, but from 3.18 on it fails by default.
 * In every version a session "mounted" on /dev/fd/N writes to the descriptor N. */
static bool open_session(Share *share, int port_fd, GError **error)
{
    char *argv[] = {(char *)"berth-share", NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
    char mountpoint[32];
    int fd = open_answers(share, port_fd);
    share->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    share->marker = memfd_create("marker", MFD_CLOEXEC);
    if (fd < 0 || share->inotify < 0 || share->marker < 0) {
        berth_error_set_errno(error, errno, "share.serve", "%s", fd < 0 ? "socketpair" : "inotify");
        return false;
    }
    g_snprintf(mountpoint, sizeof(mountpoint), "/dev/fd/%d", fd);
    share->session = fuse_session_new(&arguments, &operations, sizeof(operations), share);
    if (share->session != NULL && fuse_session_mount(share->session, mountpoint) == 0)
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "share.serve", NULL, "libfuse did not start");
    return false;
}

static bool confine(const Share *share, int last_fd, GError **error)
{
    last_fd = MAX(last_fd, MAX(share->inotify, share->marker));
    last_fd = MAX(last_fd, MAX(share->answers, fuse_session_fd(share->session)));
    g_autofree BerthSandboxPath *paths = g_new0(BerthSandboxPath, 2 * share->n_roots + 1);
    guint n_paths = 0;
    for (guint i = 0; i < share->n_roots; i++) {
        const ShareRoot *root = &share->roots[i];
        if (root->fd < 0)
            continue;
        /* beside an overlay the host's files are never written, whoever asks */
        paths[n_paths++] = (BerthSandboxPath){root->fd, root->read_only || root->overlay != NULL};
        if (root->overlay != NULL)
            paths[n_paths++] = (BerthSandboxPath){berth_overlay_dir_fd(root->overlay), false};
    }
    return berth_share_confine(last_fd, paths, n_paths, error);
}

/* Open the roots of @setup, and report and skip each that cannot be opened. Returns the highest
 * descriptor, or -1. */
static int open_roots(Share *share, const BerthShareSetup *setup)
{
    int last_fd = -1;
    for (guint i = 0; i < setup->n_roots; i++) {
        g_autoptr(GError) error = NULL;
        if (!open_root(share, i, &setup->roots[i], &error)) {
            g_autofree char *report = g_strconcat(SHARE_REPORT_SKIPPED, error->message, NULL);
            share_report(share, report);
        }
        last_fd = MAX(last_fd, share->roots[i].fd);
        if (share->roots[i].overlay != NULL)
            last_fd = MAX(last_fd, berth_overlay_last_fd(share->roots[i].overlay));
        last_fd = MAX(last_fd, share->roots[i].hold_fd);
        if (share->roots[i].quota != NULL)
            last_fd = MAX(last_fd, berth_quota_fd(share->roots[i].quota));
    }
    return last_fd;
}

/* @is_again: the guest's kernel has nodes of a former server; else the ledger has those of an
 * earlier kernel. False: this server has none of them. */
static bool make_nodes(Share *share, bool is_again)
{
    bool taken_over = is_again && berth_ledger_take_over(share->ledger);
    if (!taken_over) {
        berth_ledger_clear(share->ledger, new_offset());
        berth_ledger_set_time(share->ledger, share_now(false));
    }
    berth_nodes_free(share->nodes);
    share->nodes =
        berth_nodes_new(berth_ledger_offset(share->ledger), share->ledger, share_unwatch, share);
    for (guint i = 0; i < share->n_roots; i++)
        if (share->roots[i].fd >= 0)
            share->roots[i].node =
                berth_nodes_add_share(share->nodes, share->roots[i].path, i, &share->roots[i].key);
    berth_nodes_settle(share->nodes);
    return taken_over;
}

/* Wait for the first request, and read it into @bytes. Then give the guest back what it had of a
 * former server; *@ret_again is false if that is nothing. False: there is no request. */
static bool begin(Share *share, guint8 *bytes, gsize *ret_size, bool *ret_again)
{
    struct fuse_in_header header;
    ssize_t size = berth_transport_read(share->transport, bytes, BERTH_TRANSPORT_REQUEST_MAX);
    if (size < 0 || !share_report(share, SHARE_REPORT_BEGUN)) /* the keeper has gone */
        return false;
    memcpy(&header, bytes, sizeof(header));
    *ret_size = (gsize)size;
    share_quotas_resume(share);
    *ret_again = make_nodes(share, header.pid == WIRE_REPLAY_INIT_PID);
    share_reviews_resume(share, *ret_again);
    if (*ret_again) {
        share_again_resume(share);
        berth_handles_restore(share->handles, share_open_again, share);
        share_locks_resume(share);
    }
    return true;
}

/* Serve with all threads until the port closes. @bytes have INIT. */
static void serve(Share *share, const BerthShareSetup *setup, guint8 *bytes, gsize size,
                  bool is_again)
{
    GThread *servers[THREADS];
    bool all_watched = is_again && share_watch_again(share);
    gint64 until = share_now(true);
    const struct fuse_buf init = {.mem = bytes, .size = size};
    g_atomic_int_set(&share->catching_up, is_again);
    if (is_again)
        share_settling_begin(share);
    fuse_session_process_buf(share->session, &init);
    berth_transport_handled(share->transport, bytes);
    berth_transport_flush(share->transport);
    g_thread_unref(g_thread_new("changes", share_follow_changes, share));
    for (guint i = 0; i < THREADS; i++)
        servers[i] = g_thread_new("requests", serve_requests, share);
    share_forget_former(share, setup->paths);
    if (is_again)
        share_catch_up(share, all_watched, until);
    share_reviews_start(share);
    share_replay_report_ready(share);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(servers[i]);
}

bool berth_share_serve(const BerthShareSetup *setup, GError **error)
{
    g_autoptr(Share) share = share_new(setup, error);
    if (share == NULL)
        return false;
    int last_root = open_roots(share, setup);
    int last_fd = MAX(MAX(setup->port_fd, setup->report_fd), MAX(setup->ledger_fd, last_root));
    umask(0); /* the guest's kernel has applied its own */
    if (!open_session(share, setup->port_fd, error) || !confine(share, last_fd, error))
        return false;
    g_autofree guint8 *bytes = g_malloc(BERTH_TRANSPORT_REQUEST_MAX);
    gsize size = 0;
    bool is_again = false;
    if (begin(share, bytes, &size, &is_again))
        serve(share, setup, bytes, size, is_again);
    _exit(0); /* threads may still wait for locks or events */
}
