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

#include "streams.h"

G_BEGIN_DECLS

typedef struct BerthSocketRelay BerthSocketRelay;

/* Called once, last: the connection has ended; @problem is NULL on success. Free the relay, now or
 * later. */
typedef void (*BerthSocketRelayOver)(BerthSocketRelay *relay, const char *problem,
                                     gpointer user_data);

/* @fd (taken) is a stream socket. Asks the guest to connect to @path, on a stream of @streams,
 * which must outlive the relay. */
BerthSocketRelay *berth_socket_relay_new(int fd, BerthStreams *streams, const char *path,
                                         BerthSocketRelayOver over, gpointer user_data);
/* Closes the descriptor and sends nothing to the guest. */
void berth_socket_relay_free(BerthSocketRelay *relay);

G_END_DECLS
