/* SPDX-License-Identifier: MIT
 *
 * sockets — unix sockets in the runtime directory, each a proxy for one in the guest.
 *
 * The table in sockets.c lists them. A socket has mode 0600 and exists as long as the keeper.
 * Connections made before the guest is up wait in its backlog; if nothing listens in the guest, the
 * connection is closed.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthSockets BerthSockets;

typedef struct {
    /* A new stream number. */
    guint32 (*new_stream)(gpointer user_data);
    /* Pass a frame on to the guest. */
    void (*send)(const WireFrame *frame, guint32 stream, gpointer user_data);
    /* A line for the distro's log. */
    void (*log)(const char *text, gpointer user_data);
} BerthSocketsOps;

/* Make the sockets in @dir. @ops must outlive them. Errors: errno's, "instance.start.*";
 * "instance.path". */
BerthSockets *berth_sockets_new(const char *dir, const BerthSocketsOps *ops, gpointer user_data,
                                GError **error);
/* Closes every connection and removes the sockets. */
void berth_sockets_free(BerthSockets *sockets);

/* Accept connections, or stop accepting them; existing connections stay. */
void berth_sockets_set_up(BerthSockets *sockets, bool up);

/* The guest has ended: close every connection. */
void berth_sockets_reset(BerthSockets *sockets);

/* Deliver @frame of the guest. False when it belongs to no connection. */
bool berth_sockets_deliver(BerthSockets *sockets, const WireFrame *frame);

G_END_DECLS
