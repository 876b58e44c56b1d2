/* SPDX-License-Identifier: MIT
 *
 * socket_relay — splices one connection of a program on the host to a unix socket in the guest: a
 * descriptor here, a stream there (CONNECT in wire/wire.h).
 *
 * Each direction half-closes on its own. What a program wrote before it closed is delivered.
 * Buffers at most one window of the guest's data; a guest that exceeds its credit loses the
 * connection.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthSocketRelay BerthSocketRelay;

typedef struct {
    /* Pass a frame on to the guest. */
    void (*send)(const WireFrame *frame, guint32 stream, gpointer user_data);
    /* Called once, last: the connection has ended; @problem is NULL on success. Free the relay,
     * now or later. */
    void (*over)(BerthSocketRelay *relay, const char *problem, gpointer user_data);
} BerthSocketRelayOps;

/* @fd (taken) is a stream socket. Asks the guest to connect to @path. @ops must outlive the relay.
 */
BerthSocketRelay *berth_socket_relay_new(int fd, guint32 stream, const char *path,
                                         const BerthSocketRelayOps *ops, gpointer user_data);
/* Closes the descriptor and sends nothing to the guest. */
void berth_socket_relay_free(BerthSocketRelay *relay);

guint32 berth_socket_relay_stream(const BerthSocketRelay *relay);

/* Handle a frame of its stream from the guest. May call over. */
void berth_socket_relay_handle(BerthSocketRelay *relay, const WireFrame *frame);

G_END_DECLS
