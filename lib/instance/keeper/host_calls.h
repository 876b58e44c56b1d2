/* SPDX-License-Identifier: MIT
 *
 * host_calls — the calls of the guest (lib/wire/wire.h) that are under way.
 *
 * Each becomes a session of host_agent, whose frames are passed on with the stream number changed;
 * credit is end to end. The guest is not trusted: each call is checked against the settings of its
 * moment (host_call), and calls, their size and what waits for either side are bounded.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/machine.h"
#include "wire/wire.h"

G_BEGIN_DECLS

typedef struct BerthHostCalls BerthHostCalls;

typedef struct {
    /* Where to put frames for the guest, or NULL without one; and the call that sends them. */
    WireBuffer *(*output)(gpointer user_data);
    void (*flush)(gpointer user_data);
    /* The directories that the guest sees, as berth_host_call_directory takes them. */
    char **(*share_paths)(gpointer user_data);
    /* A line for the distro's log. */
    void (*log)(const char *text, gpointer user_data);
} BerthHostCallsOps;

/* @machine and @ops are borrowed. @support_dir: berth_host_agent_new. */
BerthHostCalls *berth_host_calls_new(const BerthMachine *machine, const char *support_dir,
                                     const BerthHostCallsOps *ops, gpointer user_data);
void berth_host_calls_free(BerthHostCalls *calls);

/* The client @pid, which is connected, opens a session: host_desk. */
void berth_host_calls_follow(BerthHostCalls *calls, pid_t pid);

/* Handle a frame of the guest on a stream with WIRE_GUEST_STREAM. */
void berth_host_calls_frame(BerthHostCalls *calls, const WireFrame *frame);

/* How many calls are under way. */
guint berth_host_calls_open(const BerthHostCalls *calls);

/* The guest is gone: end all calls and their commands. */
void berth_host_calls_reset(BerthHostCalls *calls);

G_END_DECLS
