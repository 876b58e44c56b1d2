/* SPDX-License-Identifier: MIT
 *
 * Answers the guest's barriers (wire/settle.h).
 *
 * A barrier passes both queues: a watch that is added and removed puts IN_IGNORED behind all of
 * inotify's events, and when the changes thread reads that, a replay without an operation goes
 * behind all replays. Its acknowledgement is the answer. The kernel queues the event of a change
 * before the call that made it returns, so a change that has ended is before the barrier.
 */
#include "layer.h"

#include "base/fd.h"
#include "wire/settle.h"

#include <errno.h>

#define BARRIERS_MAX 64 /* under way: the guest may ask for any number */

/* Under the lock. False with errno: there are no more watches. */
static bool place_marker(Share *share, fuse_req_t request)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(share->marker, path);
    int watch = inotify_add_watch(share->inotify, path, IN_DELETE_SELF);
    if (watch < 0)
        return false;
    g_hash_table_insert(share->barriers, GINT_TO_POINTER(watch), request);
    inotify_rm_watch(share->inotify, watch);
    return true;
}

void share_barrier_answer(Share *share, fuse_req_t request, int problem)
{
    const WireSettle value = {.server = share->number,
                              .lost = (guint64)g_atomic_int_get(&share->lost)};
    if (problem == 0)
        fuse_reply_buf(request, (const char *)&value, sizeof(value));
    else
        fuse_reply_err(request, problem);
    berth_transport_flush(share->transport);
    g_atomic_int_add(&share->n_barriers, -1);
}

static void begin(Share *share, fuse_req_t request)
{
    int problem = 0;
    g_mutex_lock(&share->lock);
    if (g_atomic_int_get(&share->catching_up))
        g_ptr_array_add(share->held_barriers, request);
    else if (!place_marker(share, request))
        problem = errno;
    g_mutex_unlock(&share->lock);
    if (problem != 0)
        share_barrier_answer(share, request, problem);
}

void share_barrier_begin(fuse_req_t request, gsize size)
{
    Share *share = share_of(request);
    if (size == 0)
        fuse_reply_xattr(request, sizeof(WireSettle));
    else if (size < sizeof(WireSettle))
        fuse_reply_err(request, ERANGE);
    else if (g_atomic_int_add(&share->n_barriers, 1) >= BARRIERS_MAX)
        share_barrier_answer(share, request, EAGAIN);
    else
        begin(share, request);
}

void share_barrier_caught_up(Share *share)
{
    g_mutex_lock(&share->lock);
    g_autoptr(GPtrArray) held = g_steal_pointer(&share->held_barriers);
    share->held_barriers = g_ptr_array_new();
    g_atomic_int_set(&share->catching_up, false);
    g_mutex_unlock(&share->lock);
    for (guint i = 0; i < held->len; i++)
        begin(share, held->pdata[i]);
}

bool share_barrier_pass(Share *share, const struct inotify_event *event)
{
    gpointer request = NULL;
    if ((event->mask & IN_IGNORED) == 0)
        return false;
    g_mutex_lock(&share->lock);
    g_hash_table_steal_extended(share->barriers, GINT_TO_POINTER(event->wd), NULL, &request);
    g_mutex_unlock(&share->lock);
    if (request != NULL)
        share_replay_barrier(share, request);
    return request != NULL;
}

void share_barrier_lost(Share *share)
{
    GHashTableIter iter;
    gpointer request;
    g_autoptr(GPtrArray) requests = g_ptr_array_new();
    g_mutex_lock(&share->lock);
    g_hash_table_iter_init(&iter, share->barriers);
    while (g_hash_table_iter_next(&iter, NULL, &request))
        g_ptr_array_add(requests, request);
    g_hash_table_remove_all(share->barriers);
    g_mutex_unlock(&share->lock);
    for (guint i = 0; i < requests->len; i++)
        share_replay_barrier(share, requests->pdata[i]);
}
