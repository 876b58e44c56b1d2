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
 *
 * What is locked is in the ledger, too: the end of a server ends its locks, and the next one takes
 * them again before it answers anything. Records of what is locked are added before those of what
 * was are removed, and a request that was not answered comes again: so a kill between two of them
 * does no harm.
 */
#include "share_private.h"

#include "base/fd.h"
#include "layer.h"
#include "lock_ranges.h"

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
    GMutex order;    /* of a lock and its record */
    GArray *ranges;  /* BerthLockRange: what is locked */
    GArray *records; /* guint: the ledger's, of them */
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
    g_array_unref(owner->ranges);
    g_array_unref(owner->records);
    g_mutex_clear(&owner->order);
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
    int fd = g_hash_table_size(share->locks) < OWNERS_MAX ? berth_fd_reopen(handle->fd, access)
                                                          : -ENOLCK;
    if (fd < 0) {
        *ret_result = fd;
        return NULL;
    }
    Owner *owner = g_new0(Owner, 1);
    *owner = (Owner){.node = handle->node, .owner = number, .fd = fd, .references = 1};
    owner->ranges = g_array_new(FALSE, FALSE, sizeof(BerthLockRange));
    owner->records = g_array_new(FALSE, FALSE, sizeof(guint));
    g_mutex_init(&owner->order);
    g_hash_table_add(share->locks, owner);
    share_want_flush(share, handle->node); /* ends its locks */
    return owner;
}

/* Whether @handle, which may be NULL, can be locked: 0 or -errno. */
static int check_handle(Share *share, const BerthHandle *handle)
{
    if (handle == NULL)
        return -EBADF;
    if (handle->fd < 0)
        return handle->has_lost_lock ? -EIO : -ESTALE;
    return share_layer_copy_up(share, handle->node);
}

/* The owner whose descriptor holds the locks that the request is about; a reference. NULL: an error
 * was replied. */
static Owner *get_owner(fuse_req_t request, const struct fuse_file_info *info)
{
    Share *share = share_of(request);
    Owner *owner = NULL;
    g_autoptr(BerthHandle) handle = berth_handles_get(share->handles, info->fh);
    int result = check_handle(share, handle);
    if (result == 0) {
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

/* ---- records ---- */

/* Those of @records are free. locks_lock is held in this and the next. */
static void clear_records(Share *share, const GArray *records)
{
    for (guint i = 0; i < records->len; i++)
        berth_ledger_clear_lock(share->ledger, g_array_index(records, guint, i));
    g_array_append_vals(share->lock_records, records->data, records->len);
}

/* Record the ranges of @owner. Those that have no room are lost with this server. */
static void record(Share *share, Owner *owner)
{
    GArray *records = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < owner->ranges->len && share->lock_records->len > 0; i++) {
        const BerthLockRange *range = &g_array_index(owner->ranges, BerthLockRange, i);
        guint last = share->lock_records->len - 1;
        guint at = g_array_index(share->lock_records, guint, last);
        g_array_set_size(share->lock_records, last);
        g_array_append_val(records, at);
        const BerthLedgerLock lock = {owner->node, owner->owner, range->start, range->end,
                                      (guint32)range->type};
        berth_ledger_set_lock(share->ledger, at, &lock);
    }
    clear_records(share, owner->records);
    g_array_unref(owner->records);
    owner->records = records;
}

/* As fcntl with F_OFD_SETLK, recorded. The owner may have ended meanwhile. */
static int set_lock(Share *share, Owner *owner, struct flock *lock)
{
    g_autoptr(GMutexLocker) order = g_mutex_locker_new(&owner->order);
    const BerthLockRange range = berth_lock_range_of(lock);
    if (fcntl(owner->fd, F_OFD_SETLK, lock) < 0)
        return -1;
    GArray *ranges = berth_lock_ranges_set(owner->ranges, &range);
    g_array_unref(owner->ranges);
    owner->ranges = ranges;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->locks_lock);
    if (find_owner(share, owner->node, owner->owner) == owner)
        record(share, owner);
    return 0;
}

void share_unlock_owner(Share *share, fuse_ino_t id, guint64 owner)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->locks_lock);
    Owner *found = find_owner(share, id, owner);
    if (found == NULL)
        return;
    clear_records(share, found->records);
    g_array_set_size(found->records, 0);
    g_hash_table_remove(share->locks, found);
}

/* Take @lock of a former server again. False: another program has it. */
static bool take_again(Share *share, const BerthLedgerLock *lock)
{
    int result = -EBADF;
    g_autoptr(BerthHandle) handle = berth_handles_find(share->handles, lock->node, true);
    if (handle == NULL)
        return true; /* none that would use it */
    g_mutex_lock(&share->locks_lock);
    Owner *owner = find_owner(share, lock->node, lock->owner);
    if (owner == NULL)
        owner = add_owner(share, handle, lock->owner, &result);
    g_mutex_unlock(&share->locks_lock);
    const BerthLockRange range = {lock->start, lock->end, (int)lock->type};
    struct flock wanted = berth_lock_range_flock(&range);
    return owner != NULL && set_lock(share, owner, &wanted) == 0;
}

void share_locks_resume(Share *share)
{
    BerthLedgerLock lock;
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(lock));
    g_autoptr(GArray) records = g_array_new(FALSE, FALSE, sizeof(guint));
    g_array_set_size(share->lock_records, 0);
    for (guint at = BERTH_LEDGER_LOCKS; at-- > 0;) {
        if (berth_ledger_lock(share->ledger, at, &lock)) {
            g_array_append_val(found, lock);
            g_array_append_val(records, at);
        } else {
            g_array_append_val(share->lock_records, at);
        }
    }
    for (guint i = 0; i < found->len; i++) {
        lock = g_array_index(found, BerthLedgerLock, i);
        if (!take_again(share, &lock))
            berth_handles_lose_lock(share->handles, lock.node);
    }
    clear_records(share, records);
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
    Owner *owner;   /* of a POSIX lock, or NULL */
    int fd;         /* of flock, or -1; the handle's is closed at its release */
    guint64 handle; /* the same */
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

/* A lock that was waited for is set once more, to be recorded. */
static int wait_for_lock(Wait *wait)
{
    Share *share = share_of(wait->request);
    int result = wait->owner != NULL ? fcntl(wait->owner->fd, F_OFD_SETLKW, &wait->lock)
                                     : flock(wait->fd, wait->operation);
    if (result == 0 && wait->owner != NULL)
        result = set_lock(share, wait->owner, &wait->lock);
    else if (result == 0)
        berth_handles_set_flock(share->handles, wait->handle, wait->operation);
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
    if (set_lock(share_of(request), owner, lock) == 0) {
        if (lock->l_type == F_UNLCK)
            share_copies_unlocked(share_of(request), id);
        fuse_reply_err(request, 0);
    } else if (!wait || (errno != EAGAIN && errno != EACCES)) {
        fuse_reply_err(request, errno);
    } else {
        start_wait(
            &(Wait){.request = request, .owner = g_steal_pointer(&owner), .fd = -1, .lock = *lock});
    }
}

static void wait_for_flock(fuse_req_t request, const BerthHandle *handle, guint64 number,
                           int operation)
{
    int fd = dup(handle->fd);
    if (fd < 0)
        fuse_reply_err(request, errno);
    else
        start_wait(&(Wait){.request = request, .fd = fd, .handle = number, .operation = operation});
}

void share_flock(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info, int operation)
{
    g_autoptr(BerthHandle) handle = berth_handles_get(share_of(request)->handles, info->fh);
    int result = check_handle(share_of(request), handle);
    if (result < 0) {
        fuse_reply_err(request, -result);
    } else if (flock(handle->fd, operation | LOCK_NB) == 0) {
        berth_handles_set_flock(share_of(request)->handles, info->fh, operation);
        if ((operation & LOCK_UN) != 0)
            share_copies_unlocked(share_of(request), id);
        fuse_reply_err(request, 0);
    } else if ((operation & LOCK_NB) != 0 || errno != EWOULDBLOCK) {
        fuse_reply_err(request, errno);
    } else {
        wait_for_flock(request, handle, info->fh, operation);
    }
}

void share_locks_init(Share *share)
{
    const struct sigaction action = {.sa_handler =
                                         on_signal}; /* without SA_RESTART: it ends the call */
    sigaction(SIGUSR1, &action, NULL);
    g_mutex_init(&share->locks_lock);
    share->lock_records = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint at = BERTH_LEDGER_LOCKS; at-- > 0;)
        g_array_append_val(share->lock_records, at);
    share->locks = g_hash_table_new_full(hash_owner, same_owner, unref_owner, NULL);
}

void share_locks_clear(Share *share)
{
    g_clear_pointer(&share->locks, g_hash_table_unref);
    g_array_unref(share->lock_records);
    g_mutex_clear(&share->locks_lock);
}
