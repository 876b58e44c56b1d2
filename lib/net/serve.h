/* SPDX-License-Identifier: MIT
 *
 * serve — berth-net's end of the control socket (client.h): carries out requests on the stack.
 */
#pragma once

#include "stack.h"

G_BEGIN_DECLS

/* Answer the requests queued on @fd; a callback for berth_stack_run. False when the keeper closed
 * the socket or broke the protocol. Sends block: the keeper always reads. */
bool berth_serve(BerthStack *stack, int fd, gpointer user_data);

/* Report to the keeper that the guest tried a refused port of the host; a callback for
 * BerthStackSetup. @user_data is the control socket, as GINT_TO_POINTER. */
void berth_serve_refused(guint16 port, gpointer user_data);

G_END_DECLS
