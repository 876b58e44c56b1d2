/* SPDX-License-Identifier: MIT */
#include "link.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536u

struct BerthLink {
    int fd;
    BerthLinkFrameFunc on_frame;
    BerthLinkClosedFunc on_closed;
    gpointer user_data;

    WireBuffer input;
    WireBuffer output;
    GSource *readable;
    GSource *writable; /* only while output is pending */

    bool held; /* of the output only the first bytes may be written: */
    gsize before;
    bool broken;      /* a write failed: further output is discarded */
    bool closed;      /* on_closed was called */
    bool dispatching; /* in a callback: defer freeing the memory */
    bool freed;       /* berth_link_free was called in that callback */
};

static GSource *watch(BerthLink *link, GIOCondition condition, GUnixFDSourceFunc func)
{
    GSource *source = g_unix_fd_source_new(link->fd, condition);
    g_source_set_callback(source, G_SOURCE_FUNC(func), link, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

static void unwatch(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void release(BerthLink *link)
{
    wire_buffer_clear(&link->input);
    wire_buffer_clear(&link->output);
    g_free(link);
}

static void close_link(BerthLink *link, const GError *error)
{
    if (link->closed)
        return;
    link->closed = true;
    unwatch(&link->readable);
    unwatch(&link->writable);
    link->on_closed(link, error, link->user_data);
}

static void close_for_protocol(BerthLink *link)
{
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_PROTOCOL, "wire.frame", NULL,
                    "the peer sent an invalid frame");
    close_link(link, error);
}

static void close_for_errno(BerthLink *link, int errnum)
{
    g_autoptr(GError) error = NULL;
    if (errnum != ECONNRESET)
        berth_error_set_errno(&error, errnum, "wire", "connection");
    close_link(link, error);
}

static void dispatch_frames(BerthLink *link)
{
    WireFrame frame;
    int found = 0;
    while (!link->closed && !link->freed && (found = wire_frame_peek(&link->input, &frame)) == 1) {
        if (!link->on_frame(link, &frame, link->user_data)) {
            if (!link->freed)
                close_for_protocol(link);
            return;
        }
        if (!link->freed)
            wire_buffer_consume(&link->input, WIRE_HEADER_SIZE + frame.size);
    }
    if (found < 0 && !link->freed)
        close_for_protocol(link);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthLink *link = user_data;
    uint8_t *room = wire_buffer_reserve(&link->input, READ_SIZE);
    ssize_t size = room != NULL ? read(fd, room, READ_SIZE) : -1;
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return G_SOURCE_CONTINUE;

    link->dispatching = true;
    if (size < 0)
        close_for_errno(link, room != NULL ? errno : ENOMEM);
    else if (size == 0)
        close_link(link, NULL);
    else
        wire_buffer_added(&link->input, (size_t)size);
    dispatch_frames(link);
    link->dispatching = false;
    if (link->freed)
        release(link);
    return G_SOURCE_CONTINUE; /* harmless once the source is destroyed */
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer user_data)
{
    berth_link_flush(user_data);
    return G_SOURCE_CONTINUE;
}

BerthLink *berth_link_new(int fd, BerthLinkFrameFunc on_frame, BerthLinkClosedFunc on_closed,
                          gpointer user_data)
{
    BerthLink *link = g_new0(BerthLink, 1);
    link->fd = fd;
    link->on_frame = on_frame;
    link->on_closed = on_closed;
    link->user_data = user_data;
    berth_fd_set_nonblocking(fd, true);
    link->readable = watch(link, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable);
    return link;
}

void berth_link_free(BerthLink *link)
{
    if (link == NULL)
        return;
    link->freed = true;
    link->closed = true;
    unwatch(&link->readable);
    unwatch(&link->writable);
    berth_fd_close(&link->fd);
    if (!link->dispatching)
        release(link);
}

WireBuffer *berth_link_output(BerthLink *link)
{
    return &link->output;
}

gsize berth_link_pending(const BerthLink *link)
{
    return wire_buffer_size(&link->output);
}

static gsize writable_size(const BerthLink *link)
{
    return link->held ? link->before : berth_link_pending(link);
}

static void drop(BerthLink *link, gsize size)
{
    wire_buffer_consume(&link->output, size);
    link->before -= MIN(link->before, size);
}

/* Write once. False when the socket is full or broken. Never reports an error, so that writing
 * never calls back: the reading side finds it from the main loop. */
static bool write_some(BerthLink *link)
{
    ssize_t size =
        send(link->fd, wire_buffer_head(&link->output), writable_size(link), MSG_NOSIGNAL);
    if (size >= 0) {
        drop(link, (gsize)size);
        return true;
    }
    if (errno == EINTR)
        return true;
    if (errno != EAGAIN)
        link->broken = true;
    return false;
}

void berth_link_hold(BerthLink *link)
{
    link->held = true;
    link->before = berth_link_pending(link);
}

void berth_link_release(BerthLink *link)
{
    link->held = false;
    berth_link_flush(link);
}

void berth_link_flush(BerthLink *link)
{
    while (!link->broken && writable_size(link) > 0)
        if (!write_some(link))
            break;
    if (link->broken)
        drop(link, berth_link_pending(link));
    if (link->closed)
        return;

    if (writable_size(link) == 0)
        unwatch(&link->writable);
    else if (link->writable == NULL)
        link->writable = watch(link, G_IO_OUT, on_writable);
}

void berth_link_forward(BerthLink *link, const WireFrame *frame, guint32 stream)
{
    wire_frame_put(&link->output, frame->type, frame->channel, stream, frame->payload, frame->size);
    berth_link_flush(link);
}

/* Fill @polls with the links that have pending output; returns their count. */
static guint fill_polls(BerthLink *const *links, guint count, struct pollfd *polls)
{
    guint waiting = 0;
    for (guint i = 0; i < count; i++) {
        bool waits = berth_link_pending(links[i]) > 0;
        polls[i] = (struct pollfd){.fd = waits ? links[i]->fd : -1, .events = POLLOUT};
        waiting += waits ? 1 : 0;
    }
    return waiting;
}

void berth_link_drain_all(BerthLink *const *links, guint count, guint timeout_msec)
{
    g_autofree struct pollfd *polls = g_new(struct pollfd, count);
    gint64 deadline = g_get_monotonic_time() + (gint64)timeout_msec * 1000;
    while (fill_polls(links, count, polls) > 0) {
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        int ready = left > 0 ? poll(polls, count, (int)left) : 0;
        if (ready == 0 || (ready < 0 && errno != EINTR))
            break;
        for (guint i = 0; i < count; i++)
            if (ready > 0 && polls[i].revents != 0)
                berth_link_flush(links[i]);
    }
}
