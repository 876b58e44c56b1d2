/* SPDX-License-Identifier: MIT
 *
 * link — frames of wire/wire.h over one socket, on the thread-default GMainContext.
 *
 * Used for the agent's channel and for the keeper's clients. Reading and writing never block. A
 * link may be freed from inside its own callbacks. Frames handed to the callback are borrowed until
 * it returns.
 *
 * Errors given to the closed callback: BERTH_ERROR_PROTOCOL, "wire.frame"; errno's, "wire.*"; NULL
 * when the other side closed in good order.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthLink BerthLink;

/* Return false to end the link: the frame makes no sense. */
typedef bool (*BerthLinkFrameFunc)(BerthLink *link, const WireFrame *frame, gpointer user_data);
/* Called once, last; the callee frees the link, now or later. */
typedef void (*BerthLinkClosedFunc)(BerthLink *link, const GError *error, gpointer user_data);

/* Takes @fd, a connected stream socket. */
BerthLink *berth_link_new(int fd, BerthLinkFrameFunc on_frame, BerthLinkClosedFunc on_closed,
                          gpointer user_data);
void berth_link_free(BerthLink *link);

/* Append frames here, then call berth_link_flush. */
WireBuffer *berth_link_output(BerthLink *link);
/* Write what the socket takes; the rest follows when it takes more. Never calls back. */
void berth_link_flush(BerthLink *link);
/* Pass a frame on under another stream number, and flush. */
void berth_link_forward(BerthLink *link, const WireFrame *frame, guint32 stream);
/* Bytes that wait to be written. */
gsize berth_link_pending(const BerthLink *link);
/* Write what waits at all of @links, for at most @timeout_msec together, blocking: none waits for
 * another. For the last words before exit. */
void berth_link_drain_all(BerthLink *const *links, guint count, guint timeout_msec);

G_END_DECLS
