/* SPDX-License-Identifier: MIT
 *
 * acceptor — accepts connections from a listening socket; backs off when accept() lacks resources.
 *
 * Without descriptors or memory accept() fails and the socket stays readable, so a level-triggered
 * source would spin. The acceptor stops polling for BERTH_ACCEPTOR_BACKOFF_MSEC and then retries;
 * clients wait in the socket's backlog.
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
