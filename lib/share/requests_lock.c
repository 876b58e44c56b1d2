/* SPDX-License-Identifier: MIT
 *
 * Requests about locks, which hold between the guest and the host.
 *
 * A POSIX lock belongs to a process, and to the host all of the guest's processes are this one. So
 * each owner that the guest names gets a descriptor of the file of its own, and its locks belong to
 * that open file (F_OFD_SETLK). flock's locks belong to an open file anyway.
 *
 * A request that must wait for a lock waits in a thread of its own. If the guest interrupts it, a
 * signal ends the wait.
 */
#include "share_private.h"

#include "base/fd.h"
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#define OWNERS_MAX  4096u
#define WAITERS_MAX 256

typedef struct {
    guint64 node;
    guint64 owner;
    int fd;
    gint references;
} Owner;

static guint hash_owner(gconstpointer data)
{
    const Owner *owner = data;
    return g_int64_hash(&owner->node) * 31 + g_int64_hash(&owner->owner);
}

static gboolean same_owner(gconstpointer left, gconstpointer right)
{
    const Owner *a = left;
    const Owner *b = right;
    return a->node == b->node && a->owner == b->owner;
}

static Owner *find_owner(Share *share, guint64 node, guint64 owner)
{
    const Owner wanted = {.node = node, .owner = owner};
    return g_hash_table_lookup(share->locks, &wanted);
}

static void unref_owner(gpointer data)
{
    Owner *owner = data;
    if (!g_atomic_int_dec_and_test(&owner->references))
        return;
    berth_fd_close(&owner->fd);
    g_free(owner);
}

static void clear_owner(Owner **owner)
{
    if (*owner != NULL)
        unref_owner(*owner);
}
#define autoowner __attribute__((cleanup(clear_owner)))

/* Make an owner with a descriptor of its own; the table has the reference. NULL with -errno. */
static Owner *add_owner(Share *share, const BerthHandle *handle, guint64 number, int *ret_result)
{
    int access = fcntl(handle->fd, F_GETFL) & O_ACCMODE;
    int fd =
        g_hash_table_size(share->locks) < OWNERS_MAX ? berth_fd_reopen(handle->fd, access) : -ENOLCK;
    if (fd < 0) {
        *ret_result = fd;
        return NULL;
    }
    Owner *owner = g_new(Owner, 1);
    *owner = (Owner){.node = handle->node, .owner = number, .fd = fd, .references = 1};
    g_hash_table_add(share->locks, owner);
    share_want_flush(share, handle->node); /* ends its locks */
    return owner;
}

/* The owner whose descriptor holds the locks that the request is about; a reference. NULL: an error
 * was replied. */
static Owner *get_owner(fuse_req_t request, const struct fuse_file_info *info)
{
    Share *share = share_of(request);
    int result = -EBADF;
    Owner *owner = NULL;
    g_autoptr(BerthHandle) handle = berth_handles_get(share->handles, info->fh);
    if (handle != NULL)
        result = handle->fd < 0 ? -ESTALE : share_layer_copy_up(share, handle->node);
    if (handle != NULL && result == 0) {
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->locks_lock);
        owner = find_owner(share, handle->node, info->lock_owner);
        if (owner == NULL)
            owner = add_owner(share, handle, info->lock_owner, &result);
        if (owner != NULL)
            g_atomic_int_inc(&owner->references);
    }
    if (owner == NULL)
        fuse_reply_err(request, -result);
    return owner;
}

void share_unlock_owner(Share *share, fuse_ino_t id, guint64 owner)
{
    const Owner wanted = {.node = id, .owner = owner};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->locks_lock);
    g_hash_table_remove(share->locks, &wanted);
}

void share_getlk(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info, struct flock *lock)
{
    autoowner Owner *owner = get_owner(request, info);
    if (owner == NULL)
        return;
    lock->l_pid = 0; /* the kernel wants it so */
    if (fcntl(owner->fd, F_OFD_GETLK, lock) < 0) {
        fuse_reply_err(request, errno);
        return;
    }
    lock->l_pid = 0; /* the guest does not know processes of the host */
    fuse_reply_lock(request, lock);
}

/* ---- waiting ---- */

typedef struct {
    fuse_req_t request;
    Owner *owner; /* of a POSIX lock, or NULL */
    int fd;       /* of flock, or -1; the handle's is closed at its release */
    struct flock lock;
    int operation;
    pthread_t thread;
} Wait;

static void on_signal(int number)
{
    (void)number;
}

static void on_interrupt(fuse_req_t request, void *data)
{
    const Wait *wait = data;
    if (fuse_req_interrupted(request))
        pthread_kill(wait->thread, SIGUSR1);
}

static int wait_for_lock(const Wait *wait)
{
    int result = wait->owner != NULL ? fcntl(wait->owner->fd, F_OFD_SETLKW, &wait->lock)
                                     : flock(wait->fd, wait->operation);
    return result < 0 ? errno : 0;
}

static void free_wait(Wait *wait)
{
    if (wait->owner != NULL)
        unref_owner(wait->owner);
    berth_fd_close(&wait->fd);
    g_free(wait);
}

static gpointer run_wait(gpointer user_data)
{
    Wait *wait = user_data;
    Share *share = share_of(wait->request);
    wait->thread = pthread_self();
    fuse_req_interrupt_func(wait->request, on_interrupt, wait);
    int errnum = fuse_req_interrupted(wait->request) ? EINTR : wait_for_lock(wait);
    fuse_req_interrupt_func(wait->request, NULL, NULL);
    fuse_reply_err(wait->request, errnum);
    berth_transport_flush(share->transport);
    free_wait(wait);
    g_atomic_int_add(&share->waits, -1);
    return NULL;
}

/* Takes the owner or the descriptor of @wait. */
static void start_wait(const Wait *wait)
{
    Wait *copy = g_new(Wait, 1);
    *copy = *wait;
    Share *share = share_of(wait->request);
    GThread *thread = g_atomic_int_add(&share->waits, 1) < WAITERS_MAX
                          ? g_thread_try_new("lock", run_wait, copy, NULL)
                          : NULL;
    if (thread != NULL) {
        g_thread_unref(thread);
        return;
    }
    g_atomic_int_add(&share->waits, -1);
    fuse_reply_err(copy->request, ENOLCK);
    free_wait(copy);
}

void share_setlk(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info, struct flock *lock,
                 int wait)
{
    autoowner Owner *owner = get_owner(request, info);
    if (owner == NULL)
        return;
    lock->l_pid = 0;
    if (fcntl(owner->fd, F_OFD_SETLK, lock) == 0)
        fuse_reply_err(request, 0);
    else if (!wait || (errno != EAGAIN && errno != EACCES))
        fuse_reply_err(request, errno);
    else
        start_wait(
            &(Wait){.request = request, .owner = g_steal_pointer(&owner), .fd = -1, .lock = *lock});
}

static void wait_for_flock(fuse_req_t request, const BerthHandle *handle, int operation)
{
    int fd = dup(handle->fd);
    if (fd < 0)
        fuse_reply_err(request, errno);
    else
        start_wait(&(Wait){.request = request, .fd = fd, .operation = operation});
}

void share_flock(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info, int operation)
{
    g_autoptr(BerthHandle) handle = berth_handles_get(share_of(request)->handles, info->fh);
    int result = handle == NULL   ? -EBADF
                 : handle->fd < 0 ? -ESTALE
                                  : share_layer_copy_up(share_of(request), handle->node);
    if (result < 0)
        fuse_reply_err(request, -result);
    else if (flock(handle->fd, operation | LOCK_NB) == 0)
        fuse_reply_err(request, 0);
    else if ((operation & LOCK_NB) != 0 || errno != EWOULDBLOCK)
        fuse_reply_err(request, errno);
    else
        wait_for_flock(request, handle, operation);
}

void share_locks_init(Share *share)
{
    const struct sigaction action = {.sa_handler =
                                         on_signal}; /* without SA_RESTART: it ends the call */
    sigaction(SIGUSR1, &action, NULL);
    g_mutex_init(&share->locks_lock);
    share->locks = g_hash_table_new_full(hash_owner, same_owner, unref_owner, NULL);
}

void share_locks_clear(Share *share)
{
    g_clear_pointer(&share->locks, g_hash_table_unref);
    g_mutex_clear(&share->locks_lock);
}
