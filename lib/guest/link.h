/* SPDX-License-Identifier: MIT
 *
 * link — frames of wire/wire.h over a socket, on the thread-default GMainContext.
 *
 * Used for the agent's channel and for the keeper's clients. Never blocks, except
 * berth_link_drain_all. A callback may free its link. Frames are borrowed until the callback
 * returns.
 *
 * Errors of the closed callback: BERTH_ERROR_PROTOCOL, "wire.frame"; errno's, "wire.*"; NULL when
 * the peer closed in good order.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthLink BerthLink;

/* Return false if the frame is invalid: the link ends. */
typedef bool (*BerthLinkFrameFunc)(BerthLink *link, const WireFrame *frame, gpointer user_data);
/* Called once, last; the callee frees the link, now or later. */
typedef void (*BerthLinkClosedFunc)(BerthLink *link, const GError *error, gpointer user_data);

/* Takes @fd, a connected stream socket. */
BerthLink *berth_link_new(int fd, BerthLinkFrameFunc on_frame, BerthLinkClosedFunc on_closed,
                          gpointer user_data);
void berth_link_free(BerthLink *link);

/* Append frames here, then call berth_link_flush. */
WireBuffer *berth_link_output(BerthLink *link);
/* Write what the socket accepts now, and the rest when it becomes writable. Never calls back. */
void berth_link_flush(BerthLink *link);
/* Send @frame with another stream number, and flush. */
void berth_link_forward(BerthLink *link, const WireFrame *frame, guint32 stream);
/* Write no more than the output has now, whatever is added to it, until berth_link_release. */
void berth_link_hold(BerthLink *link);
void berth_link_release(BerthLink *link);
/* Bytes not written yet. */
gsize berth_link_pending(const BerthLink *link);
/* Write pending output of all @links, blocking for at most @timeout_msec in total; no link delays
 * another. For the last frames before exit. */
void berth_link_drain_all(BerthLink *const *links, guint count, guint timeout_msec);

G_END_DECLS
