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

#include "streams.h"

G_BEGIN_DECLS

typedef struct BerthSockets BerthSockets;

/* A line for the distro's log. */
typedef void (*BerthSocketsLogFunc)(const char *text, gpointer user_data);

/* Make the sockets in @dir. @streams, in which each connection has one, must outlive them.
 * Errors: errno's, "instance.start.*"; "instance.path". */
BerthSockets *berth_sockets_new(const char *dir, BerthStreams *streams, BerthSocketsLogFunc log,
                                gpointer user_data, GError **error);
/* Closes every connection and removes the sockets. */
void berth_sockets_free(BerthSockets *sockets);

/* Accept connections, or stop accepting them; existing connections stay. */
void berth_sockets_set_up(BerthSockets *sockets, bool up);

/* The guest has ended: close every connection. */
void berth_sockets_reset(BerthSockets *sockets);

G_END_DECLS
