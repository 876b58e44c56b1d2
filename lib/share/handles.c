/* SPDX-License-Identifier: MIT */
#include "handles.h"

#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

struct BerthHandles {
    GMutex lock;
    GCond unused;          /* a reference was dropped */
    gint waiting;          /* threads that wait for one */
    GHashTable *by_number; /* &handle->number -> BerthHandle, one reference */
    guint64 last;
    guint max;
};

BerthHandles *berth_handles_new(guint max, guint64 offset)
{
    BerthHandles *handles = g_new0(BerthHandles, 1);
    g_mutex_init(&handles->lock);
    g_cond_init(&handles->unused);
    handles->by_number = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                               (GDestroyNotify)berth_handle_unref);
    handles->max = max;
    handles->last = offset;
    return handles;
}

void berth_handles_free(BerthHandles *handles)
{
    if (handles == NULL)
        return;
    g_hash_table_unref(handles->by_number);
    g_cond_clear(&handles->unused);
    g_mutex_clear(&handles->lock);
    g_free(handles);
}

guint64 berth_handles_add(BerthHandles *handles, int fd, guint64 node, bool is_directory,
                          bool is_writable, bool is_protected)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
    if (g_hash_table_size(handles->by_number) >= handles->max) {
        berth_fd_close(&fd);
        return 0;
    }
    BerthHandle *handle = g_new0(BerthHandle, 1);
    handle->table = handles;
    handle->fd = fd;
    handle->node = node;
    handle->is_directory = is_directory;
    handle->is_writable = is_writable;
    handle->is_protected = is_protected;
    handle->number = ++handles->last;
    handle->references = 1;
    g_mutex_init(&handle->position);
    g_hash_table_insert(handles->by_number, &handle->number, handle);
    return handle->number;
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
        if (handle->node == node && (found == NULL || (writable && handle->is_writable)))
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
        if (handle->node != node || handle->is_directory)
            continue;
        berth_autofd int fd = open(path, fcntl(handle->fd, F_GETFL) | O_CLOEXEC);
        if (fd >= 0)
            dup3(fd, handle->fd, O_CLOEXEC);
    }
}

void berth_handles_release(BerthHandles *handles, guint64 number)
{
    gpointer handle = NULL;
    g_mutex_lock(&handles->lock);
    g_hash_table_steal_extended(handles->by_number, &number, NULL, &handle);
    g_atomic_int_inc(&handles->waiting);
    while (handle != NULL && g_atomic_int_get(&((BerthHandle *)handle)->references) > 1)
        g_cond_wait(&handles->unused, &handles->lock);
    g_atomic_int_add(&handles->waiting, -1);
    g_mutex_unlock(&handles->lock);
    berth_handle_unref(handle);
}
