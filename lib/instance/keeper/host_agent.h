/* SPDX-License-Identifier: MIT
 *
 * host_agent — a second agent, on the host: berth-guest as an ordinary process of the user who owns
 * the keeper. It runs the commands that the guest may have run on the host.
 *
 * Started with the first call and kept until the guest ends. When its socket closes, also by the
 * keeper's death, it sends SIGHUP to all its commands, and two seconds later SIGKILL.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthHostAgent BerthHostAgent;

typedef struct {
    /* A frame of a session. */
    void (*frame)(const WireFrame *frame, gpointer user_data);
    /* It ended, or broke the protocol: all its sessions are over. It is started anew by the next
     * berth_host_agent_output. */
    void (*ended)(gpointer user_data);
} BerthHostAgentEvents;

/* @support_dir holds berth-guest, which is opened now, so that an upgrade does not mix versions.
 * @events is borrowed. */
BerthHostAgent *berth_host_agent_new(const char *support_dir, const BerthHostAgentEvents *events,
                                     gpointer user_data);
void berth_host_agent_free(BerthHostAgent *agent);

/* Where to put frames for it, to be followed by berth_host_agent_flush; starts it if need be. NULL
 * with @error: it cannot start. */
WireBuffer *berth_host_agent_output(BerthHostAgent *agent, GError **error);
void berth_host_agent_flush(BerthHostAgent *agent);

/* End it and all its commands; ended is not called. */
void berth_host_agent_stop(BerthHostAgent *agent);

G_END_DECLS
