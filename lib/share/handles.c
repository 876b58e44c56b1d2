/* SPDX-License-Identifier: MIT */
#include "handles.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define DIRECTORY (1u << 31) /* in the ledger's flags, beside open's */
#define WRITABLE  (1u << 30)
#define PROTECTED (1u << 29)
#define SHARED    (1u << 28) /* flock's locks */
#define EXCLUSIVE (1u << 27)
#define OWN       (DIRECTORY | WRITABLE | PROTECTED | SHARED | EXCLUSIVE)

struct BerthHandles {
    GMutex lock;
    GCond unused;          /* a reference was dropped */
    gint waiting;          /* threads that wait for one */
    GHashTable *by_number; /* &handle->number -> BerthHandle, one reference */
    guint64 last;
    BerthLedger *ledger;
    GArray *free_records; /* records that were used once */
    guint records;        /* the one after the last that was used */
};

BerthHandles *berth_handles_new(BerthLedger *ledger)
{
    BerthHandles *handles = g_new0(BerthHandles, 1);
    g_mutex_init(&handles->lock);
    g_cond_init(&handles->unused);
    handles->by_number = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                               (GDestroyNotify)berth_handle_unref);
    handles->ledger = ledger;
    handles->free_records = g_array_new(FALSE, FALSE, sizeof(guint));
    return handles;
}

void berth_handles_free(BerthHandles *handles)
{
    if (handles == NULL)
        return;
    g_hash_table_unref(handles->by_number);
    g_cond_clear(&handles->unused);
    g_array_unref(handles->free_records);
    g_mutex_clear(&handles->lock);
    g_free(handles);
}

static bool take_record(BerthHandles *handles, guint *ret_record)
{
    if (handles->free_records->len > 0) {
        *ret_record = g_array_index(handles->free_records, guint, handles->free_records->len - 1);
        g_array_set_size(handles->free_records, handles->free_records->len - 1);
        return true;
    }
    *ret_record = handles->records;
    handles->records += handles->records < BERTH_LEDGER_HANDLES;
    return *ret_record < BERTH_LEDGER_HANDLES;
}

/* Takes @fd. Returns the handle, which the table owns. */
static BerthHandle *insert(BerthHandles *handles, int fd, int root, guint record,
                           const BerthLedgerHandle *it)
{
    BerthHandle *handle = g_new0(BerthHandle, 1);
    handle->table = handles;
    handle->fd = fd;
    handle->node = it->node;
    handle->root = root;
    handle->is_directory = (it->flags & DIRECTORY) != 0;
    handle->is_writable = (it->flags & WRITABLE) != 0;
    handle->is_appending = (it->flags & O_APPEND) != 0;
    handle->is_protected = (it->flags & PROTECTED) != 0;
    handle->number = it->number;
    handle->flags = it->flags;
    handle->record = record;
    handle->references = 1;
    g_mutex_init(&handle->position);
    g_hash_table_insert(handles->by_number, &handle->number, handle);
    return handle;
}

guint64 berth_handles_add(BerthHandles *handles, int fd, guint64 node, int root, bool is_directory,
                          bool is_writable, bool is_protected, int flags)
{
    guint record;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    if (!take_record(handles, &record)) {
        berth_fd_close(&fd);
        return 0;
    }
    handles->last = MAX(handles->last, berth_ledger_offset(handles->ledger));
    const BerthLedgerHandle it = {.number = ++handles->last,
                                  .node = node,
                                  .flags = (guint32)flags | (is_directory ? DIRECTORY : 0) |
                                           (is_writable ? WRITABLE : 0) |
                                           (is_protected ? PROTECTED : 0)};
    berth_ledger_set_handle(handles->ledger, record, &it);
    return insert(handles, fd, root, record, &it)->number;
}

static void lose_lock(BerthHandle *handle)
{
    handle->has_lost_lock = true;
    berth_fd_close(&handle->fd);
}

static void take_flock(BerthHandle *handle)
{
    int operation = (handle->flags & EXCLUSIVE) != 0 ? LOCK_EX
                    : (handle->flags & SHARED) != 0  ? LOCK_SH
                                                     : 0;
    if (handle->fd >= 0 && operation != 0 && flock(handle->fd, operation | LOCK_NB) < 0)
        lose_lock(handle);
}

/* One record of a former server. A number that another record has is damage. */
static void restore_one(BerthHandles *handles, guint at, const BerthLedgerHandle *it,
                        BerthHandlesOpen open, gpointer user_data)
{
    const int flags = (int)(it->flags & ~OWN);
    if (g_hash_table_contains(handles->by_number, &it->number)) {
        berth_ledger_clear_handle(handles->ledger, at);
        g_array_append_val(handles->free_records, at);
        return;
    }
    handles->last = MAX(handles->last, it->number);
    int root = -1;
    int fd = open(it->node, (it->flags & DIRECTORY) != 0, (it->flags & WRITABLE) != 0, flags, &root,
                  user_data);
    take_flock(insert(handles, MAX(fd, -1), root, at, it));
}

void berth_handles_restore(BerthHandles *handles, BerthHandlesOpen open, gpointer user_data)
{
    BerthLedgerHandle it;
    for (guint at = BERTH_LEDGER_HANDLES; at-- > 0;) {
        if (berth_ledger_handle(handles->ledger, at, &it)) {
            handles->records = MAX(handles->records, at + 1);
            restore_one(handles, at, &it, open, user_data);
        } else if (at < handles->records) {
            g_array_append_val(handles->free_records, at);
        }
    }
}

static BerthHandle *reference(BerthHandle *handle)
{
    if (handle != NULL)
        g_atomic_int_inc(&handle->references);
    return handle;
}

BerthHandle *berth_handles_get(BerthHandles *handles, guint64 number)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    return reference(g_hash_table_lookup(handles->by_number, &number));
}

void berth_handle_unref(BerthHandle *handle)
{
    if (handle == NULL)
        return;
    BerthHandles *table = handle->table;
    if (g_atomic_int_dec_and_test(&handle->references)) {
        berth_fd_close(&handle->fd);
        g_clear_pointer(&handle->entries, g_ptr_array_unref);
        g_mutex_clear(&handle->position);
        g_free(handle);
        return;
    }
    if (g_atomic_int_get(&table->waiting) == 0)
        return;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->lock);
    g_cond_broadcast(&table->unused);
}

BerthHandle *berth_handles_find(BerthHandles *handles, guint64 node, bool writable)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, handles->by_number);
    BerthHandle *found = NULL;
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        BerthHandle *handle = value;
        if (handle->fd >= 0 && handle->node == node &&
            (found == NULL || (writable && handle->is_writable)))
            found = handle;
    }
    return reference(found);
}

void berth_handles_move(BerthHandles *handles, guint64 node, int path_fd)
{
    g_autofree char *path = berth_fd_path(path_fd);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, handles->by_number);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const BerthHandle *handle = value;
        if (handle->node != node || handle->is_directory || handle->fd < 0)
            continue;
        berth_autofd int fd = open(path, fcntl(handle->fd, F_GETFL) | O_CLOEXEC);
        if (fd >= 0)
            dup3(fd, handle->fd, O_CLOEXEC);
    }
}

void berth_handles_set_flock(BerthHandles *handles, guint64 number, int operation)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    BerthHandle *handle = g_hash_table_lookup(handles->by_number, &number);
    if (handle == NULL)
        return; /* released meanwhile */
    handle->flags &= ~(SHARED | EXCLUSIVE);
    handle->flags |= (operation & LOCK_EX) != 0 ? EXCLUSIVE : 0;
    handle->flags |= (operation & LOCK_SH) != 0 ? SHARED : 0;
    const BerthLedgerHandle it = {handle->number, handle->node, handle->flags};
    berth_ledger_set_handle(handles->ledger, handle->record, &it);
}

void berth_handles_lose_lock(BerthHandles *handles, guint64 node)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, handles->by_number);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        BerthHandle *handle = value;
        if (handle->node == node && handle->fd >= 0)
            lose_lock(handle);
    }
}

void berth_handles_end_writing(BerthHandles *handles, guint64 node, int fd)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, handles->by_number);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const BerthHandle *handle = value;
        if (handle->node == node && handle->is_writable && handle->fd >= 0)
            dup3(fd, handle->fd, O_CLOEXEC);
    }
}

void berth_handles_release(BerthHandles *handles, guint64 number)
{
    gpointer stolen = NULL;
    g_mutex_lock(&handles->lock);
    g_hash_table_steal_extended(handles->by_number, &number, NULL, &stolen);
    BerthHandle *handle = stolen;
    if (handle != NULL) {
        berth_ledger_clear_handle(handles->ledger, handle->record);
        g_array_append_val(handles->free_records, handle->record);
    }
    g_atomic_int_inc(&handles->waiting);
    while (handle != NULL && g_atomic_int_get(&handle->references) > 1)
        g_cond_wait(&handles->unused, &handles->lock);
    g_atomic_int_add(&handles->waiting, -1);
    g_mutex_unlock(&handles->lock);
    berth_handle_unref(handle);
}
