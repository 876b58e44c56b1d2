/* SPDX-License-Identifier: MIT
 *
 * Opens that wait until the guest has dropped what the host changed while there was no server: a
 * program that opens a file must not read what the guest has cached of a former content.
 *
 * The guest's kernel holds no lock of a directory or of a file's pages while it waits for the
 * answer to an OPEN without O_TRUNC. Other requests may be what a notification waits for, so none
 * of them waits.
 */
#include "share_private.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

struct ShareSettling {
    GMutex lock;
    bool settling;
    GPtrArray *waiting; /* GBytes */
};

ShareSettling *share_settling_new(void)
{
    ShareSettling *settling = g_new0(ShareSettling, 1);
    g_mutex_init(&settling->lock);
    settling->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    return settling;
}

void share_settling_free(ShareSettling *settling)
{
    g_ptr_array_unref(settling->waiting);
    g_mutex_clear(&settling->lock);
    g_free(settling);
}

void share_settling_begin(Share *share)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->settling->lock);
    share->settling->settling = true;
}

static bool is_plain_open(const guint8 *message)
{
    struct fuse_in_header header;
    struct fuse_open_in open;
    memcpy(&header, message, sizeof(header));
    if (header.opcode != FUSE_OPEN)
        return false;
    memcpy(&open, message + sizeof(header), sizeof(open));
    return (open.flags & O_TRUNC) == 0;
}

bool share_settling_keep(Share *share, const guint8 *message, gsize size)
{
    ShareSettling *settling = share->settling;
    if (!is_plain_open(message))
        return false;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&settling->lock);
    if (settling->settling)
        g_ptr_array_add(settling->waiting, g_bytes_new(message, size));
    return settling->settling;
}

typedef struct {
    Share *share;
    GPtrArray *requests;
} Work;

static gpointer serve_kept(gpointer data)
{
    g_autofree Work *work = data;
    g_autofree guint8 *bytes = g_malloc(BERTH_TRANSPORT_REQUEST_MAX);
    for (guint i = 0; i < work->requests->len; i++) {
        gsize size;
        const void *message = g_bytes_get_data(work->requests->pdata[i], &size);
        memcpy(bytes, message, size);
        share_serve_request(work->share, bytes, size);
        berth_transport_flush(work->share->transport);
    }
    g_ptr_array_unref(work->requests);
    return NULL;
}

void share_settling_end(Share *share)
{
    ShareSettling *settling = share->settling;
    g_mutex_lock(&settling->lock);
    settling->settling = false;
    GPtrArray *requests = g_steal_pointer(&settling->waiting);
    settling->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_mutex_unlock(&settling->lock);
    Work *work = g_new(Work, 1);
    *work = (Work){share, requests};
    g_thread_unref(g_thread_new("opens", serve_kept, work));
}
