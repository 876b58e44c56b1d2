/* SPDX-License-Identifier: MIT */
#include "share_private.h"

#include "base/error.h"
#include "base/fd.h"
#include "confine_share.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS     4u
#define HANDLES_MAX 65536u

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

static ssize_t read_request(int fd, void *buffer, size_t size, void *user_data)
{
    const Share *share = user_data;
    return berth_transport_read(share->transport, buffer, size);
}

static ssize_t write_answer(int fd, struct iovec *parts, int count, void *user_data)
{
    const Share *share = user_data;
    return berth_transport_write(share->transport, parts, count);
}

static gpointer serve_requests(gpointer data)
{
    Share *share = data;
    struct fuse_buf buffer = {0};
    while (!fuse_session_exited(share->session)) {
        int result = fuse_session_receive_buf(share->session, &buffer);
        if (result == -EINTR)
            continue;
        if (result <= 0)
            break;
        fuse_session_process_buf(share->session, &buffer);
    }
    free(buffer.mem);
    return NULL;
}

/* No component of the path may be a symbolic link: the share is this directory. */
static bool open_root(Share *share, guint index, const BerthShareRoot *root, GError **error)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    ShareRoot *opened = &share->roots[index];
    opened->read_only = root->read_only;
    opened->fd = (int)syscall(SYS_openat2, AT_FDCWD, root->source, &how, sizeof(how));
    if (opened->fd < 0) {
        berth_error_set_errno(error, errno, "share.root", "%s", root->source);
        return false;
    }
    if (berth_nodes_add_share(share->nodes, root->path, index) != BERTH_NODE_NONE)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "share.root", NULL,
                    "%s: another share is at /%s already, or within it", root->source, root->path);
    return false;
}

static void share_free(Share *share)
{
    if (share->session != NULL)
        fuse_session_destroy(share->session);
    berth_fd_close(&share->inotify);
    berth_nodes_free(share->nodes);
    for (guint i = 0; i < share->n_roots; i++)
        berth_fd_close(&share->roots[i].fd);
    g_free(share->roots);
    berth_handles_free(share->handles);
    share_locks_clear(share);
    berth_transport_free(share->transport);
    g_hash_table_unref(share->watches);
    g_mutex_clear(&share->lock);
    g_free(share);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Share, share_free)

static Share *share_new(const BerthShareSetup *setup)
{
    Share *share = g_new0(Share, 1);
    g_mutex_init(&share->lock);
    share->watches = g_hash_table_new(NULL, NULL);
    share->inotify = -1;
    share->nodes = berth_nodes_new(share_unwatch, share);
    share->handles = berth_handles_new(HANDLES_MAX);
    share->transport = berth_transport_new(setup->port_fd);
    share->uid = geteuid();
    share->gid = getegid();
    share->guest_uid = setup->guest_uid;
    share->guest_gid = setup->guest_gid;
    share->roots = g_new0(ShareRoot, setup->n_roots);
    share->n_roots = setup->n_roots;
    for (guint i = 0; i < setup->n_roots; i++)
        share->roots[i].fd = -1;
    share_locks_init(share);
    return share;
}

static bool open_session(Share *share, int port_fd, GError **error)
{
    static const struct fuse_custom_io io = {.read = read_request, .writev = write_answer};
    char *argv[] = {(char *)"berth-share", NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
    share->inotify = inotify_init1(IN_CLOEXEC);
    if (share->inotify < 0) {
        berth_error_set_errno(error, errno, "share.serve", "inotify");
        return false;
    }
    share->session = fuse_session_new(&arguments, &operations, sizeof(operations), share);
    int result =
        share->session != NULL ? fuse_session_custom_io(share->session, &io, port_fd) : -ENOMEM;
    if (result == 0)
        return true;
    berth_error_set_errno(error, -result, "share.serve", "FUSE");
    return false;
}

static bool confine(const Share *share, int last_fd, GError **error)
{
    g_autofree BerthSandboxPath *paths = g_new0(BerthSandboxPath, share->n_roots);
    for (guint i = 0; i < share->n_roots; i++)
        paths[i] = (BerthSandboxPath){share->roots[i].fd, share->roots[i].read_only};
    return berth_share_confine(last_fd, paths, share->n_roots, error);
}

bool berth_share_serve(const BerthShareSetup *setup, GError **error)
{
    g_autoptr(Share) share = share_new(setup);
    int last_fd = setup->port_fd;
    for (guint i = 0; i < setup->n_roots; i++) {
        if (!open_root(share, i, &setup->roots[i], error))
            return false;
        last_fd = MAX(last_fd, share->roots[i].fd);
    }
    umask(0); /* the guest's kernel has applied its own */
    if (!open_session(share, setup->port_fd, error) ||
        !confine(share, MAX(last_fd, share->inotify), error))
        return false;

    GThread *changes = g_thread_new("changes", share_follow_changes, share);
    GThread *servers[THREADS];
    for (guint i = 0; i < THREADS; i++)
        servers[i] = g_thread_new("requests", serve_requests, share);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(servers[i]);
    (void)changes;
    _exit(0); /* threads may still wait for locks or events */
}
