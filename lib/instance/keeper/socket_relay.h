/* SPDX-License-Identifier: MIT
 *
 * socket_relay — one connection of a host's program to a unix socket in the guest: copies between a
 * descriptor and a stream (CONNECT in wire/wire.h).
 *
 * The two halves end on their own, as those of a socket do. A program that goes has what it wrote
 * delivered first. Buffers no more than a window of what the guest sent; a guest that sends more
 * than it may ends the connection.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthRelay BerthRelay;

typedef struct {
    /* Pass a frame on to the guest. */
    void (*send)(const WireFrame *frame, guint32 stream, gpointer user_data);
    /* Called once, last: the connection is over; @problem is NULL when it went well. Free the
     * relay, now or later. */
    void (*over)(BerthRelay *relay, const char *problem, gpointer user_data);
} BerthRelayOps;

/* Takes @fd, a stream socket, and asks the guest for @path. @ops must outlive the relay. */
BerthRelay *berth_relay_new(int fd, guint32 stream, const char *path, const BerthRelayOps *ops,
                            gpointer user_data);
/* Closes the descriptor and says nothing to the guest. */
void berth_relay_free(BerthRelay *relay);

guint32 berth_relay_stream(const BerthRelay *relay);

/* A frame of its stream from the guest. May call over. */
void berth_relay_handle(BerthRelay *relay, const WireFrame *frame);

G_END_DECLS
