/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <errno.h>
#include <sys/socket.h>

#define SEND_BUFFER (4 * 1024 * 1024) /* requested; the host's wmem_max limits it */
#define FRAME_COST  128u              /* overhead of a queued frame, bytes */

void berth_outbox_init(BerthOutbox *outbox, int fd)
{
    *outbox = (BerthOutbox){.fd = fd};
    g_queue_init(&outbox->waiting);
    /* May fail: with a smaller buffer frames queue here earlier. */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int));
}

void berth_outbox_clear(BerthOutbox *outbox)
{
    g_queue_clear_full(&outbox->waiting, (GDestroyNotify)g_bytes_unref);
}

static bool guest_is_full(int errnum)
{
    return errnum == EAGAIN || errnum == ENOBUFS || errnum == EINTR;
}

/* True when the frame was sent or dropped for good; false when it should be retried. */
static bool try_send(BerthOutbox *outbox, const void *frame, gsize size)
{
    if (send(outbox->fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        outbox->counters.frames++;
        outbox->counters.bytes += size;
        return true;
    }
    if (guest_is_full(errno))
        return false;
    outbox->counters.dropped++; /* QEMU has gone */
    return true;
}

void berth_outbox_send(BerthOutbox *outbox, const void *frame, gsize size)
{
    if (!berth_outbox_is_waiting(outbox) && try_send(outbox, frame, size))
        return;
    if (outbox->waiting_size + size + FRAME_COST > BERTH_OUTBOX_MAX) {
        outbox->counters.dropped++;
        return;
    }
    g_queue_push_tail(&outbox->waiting, g_bytes_new(frame, size));
    outbox->waiting_size += size + FRAME_COST;
    outbox->counters.waited++;
}

void berth_outbox_pass(BerthOutbox *outbox, const guint8 *frame, gsize size, bool may_wait)
{
    if (may_wait && berth_acks_keep(&outbox->acks, frame, size))
        return;
    berth_acks_carry(&outbox->acks, frame, size);
    berth_outbox_send_acks(outbox);
    berth_outbox_send(outbox, frame, size);
}

void berth_outbox_send_acks(BerthOutbox *outbox)
{
    for (guint i = 0; i < outbox->acks.count; i++)
        berth_outbox_send(outbox, outbox->acks.kept[i].frame, outbox->acks.kept[i].size);
    outbox->acks.count = 0;
}

void berth_outbox_send_waiting(BerthOutbox *outbox)
{
    GBytes *next;
    while ((next = g_queue_peek_head(&outbox->waiting)) != NULL) {
        gsize size;
        gconstpointer frame = g_bytes_get_data(next, &size);
        if (!try_send(outbox, frame, size))
            return;
        outbox->waiting_size -= size + FRAME_COST;
        g_bytes_unref(g_queue_pop_head(&outbox->waiting));
    }
}

bool berth_outbox_is_waiting(const BerthOutbox *outbox)
{
    return outbox->waiting.head != NULL;
}
