/* SPDX-License-Identifier: MIT
 *
 * streams — the table of the streams in the agent's channel: number -> owner.
 *
 * The server's sessions and the sockets' connections each own one stream of the guest. The table
 * gives out the numbers, which are never used twice, and hands the guest's frames to the owner; it
 * ignores frames of streams without one: the guest may not know yet that the owner has gone. The
 * streams that the guest begins (WIRE_GUEST_STREAM) have one owner, who tells them apart.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthStreams BerthStreams;

typedef struct {
    /* Pass a frame on to the guest. */
    void (*send)(const WireFrame *frame, guint32 stream, gpointer user_data);
    /* Tell the guest that the owner has gone. */
    void (*hang_up)(guint32 stream, gpointer user_data);
} BerthStreamsOps;

/* Handles @frame of the guest; may close the stream. */
typedef void (*BerthStreamHandler)(const WireFrame *frame, gpointer owner);

/* @ops must outlive the table. */
BerthStreams *berth_streams_new(const BerthStreamsOps *ops, gpointer user_data);
/* Owners must not use it any more. Accepts NULL. */
void berth_streams_free(BerthStreams *streams);

/* A new number, whose frames go to @owner until it is closed. */
guint32 berth_streams_open(BerthStreams *streams, BerthStreamHandler handler, gpointer owner);
/* The owner gets no more frames. The second form also tells the guest. */
void berth_streams_close(BerthStreams *streams, guint32 stream);
void berth_streams_hang_up(BerthStreams *streams, guint32 stream);

/* The owner of all streams that the guest begins; until it is set they have none. */
void berth_streams_accept(BerthStreams *streams, BerthStreamHandler handler, gpointer owner);

/* Send @frame to the guest, or deliver one that came from it. */
void berth_streams_send(BerthStreams *streams, const WireFrame *frame, guint32 stream);
void berth_streams_deliver(BerthStreams *streams, const WireFrame *frame);

G_END_DECLS
