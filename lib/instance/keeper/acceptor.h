/* SPDX-License-Identifier: MIT
 *
 * acceptor — accepts the connections of a listening socket, and rests while that cannot be done.
 *
 * A connection that cannot be accepted, for want of descriptors or memory, keeps its socket
 * readable: a loop that went on asking would spin. So the socket is left alone for a moment, and
 * then asked again; the clients wait in its backlog.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_ACCEPTOR_BACKOFF_MSEC 100u

typedef struct BerthAcceptor BerthAcceptor;

/* Takes @client_fd, non-blocking and close-on-exec. May free the acceptor. */
typedef void (*BerthAcceptorFunc)(int client_fd, gpointer user_data);

/* @listen_fd is borrowed, and made non-blocking. */
BerthAcceptor *berth_acceptor_new(int listen_fd, BerthAcceptorFunc func, gpointer user_data);
/* Accepts NULL. */
void berth_acceptor_free(BerthAcceptor *acceptor);

G_END_DECLS
