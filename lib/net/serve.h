/* SPDX-License-Identifier: MIT
 *
 * serve — berth-net's end of the control socket (client.h): carries requests out on the stack.
 */
#pragma once

#include "stack.h"

G_BEGIN_DECLS

/* Answer the requests that wait on @fd; fits berth_stack_run. False when the keeper has gone or
 * does not keep to the protocol. Answers are sent blocking: the keeper always reads. */
bool berth_serve(BerthStack *stack, int fd, gpointer user_data);

/* Tell the keeper of a port of the host that the guest tried in vain; fits BerthStackSetup, with
 * the control socket as GINT_TO_POINTER in @user_data. */
void berth_serve_refused(guint16 port, gpointer user_data);

G_END_DECLS
