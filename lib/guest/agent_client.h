/* SPDX-License-Identifier: MIT
 *
 * agent_client — the host's side of the guest agent's channel.
 *
 * Sends CONFIG as soon as it is made, so that the guest never waits for it; turns what the guest
 * says of the machine into calls and passes the frames of sessions on as they are. Nothing the
 * guest sends is believed further than its own sessions: what breaks the grammar ends the channel.
 *
 * On the thread-default GMainContext. All arguments of callbacks are borrowed; texts are cut and
 * cleaned (base/text.h), names to 64 bytes and lines to 512.
 */
#pragma once

#include "model/machine.h"
#include "wire/wire.h"

G_BEGIN_DECLS

typedef struct BerthAgent BerthAgent;

typedef struct {
    void (*hello)(const char *kernel, gpointer user_data);
    /* A boot stage ended @boottime_usec after the kernel started; @problem is NULL when it went
     * well. */
    void (*stage)(const char *name, guint64 boottime_usec, const char *problem, gpointer user_data);
    /* @init_timeout_msec is how long the distro wants its init to be waited for, at most an hour;
     * or 0. */
    void (*ready)(const char *init, guint init_timeout_msec, gpointer user_data);
    /* A line about the start for who started it. */
    void (*note)(const char *text, gpointer user_data);
    void (*booted)(const char *status, gpointer user_data);
    void (*listeners)(GPtrArray *listeners /* BerthListener* */, gpointer user_data);
    /* The answer to berth_agent_grow; @problem is NULL when it went well. */
    void (*grown)(const char *problem, gpointer user_data);
    /* A frame of a session's stream. False: it makes no sense, end the channel. */
    bool (*session)(const WireFrame *frame, gpointer user_data);
    /* The channel is closed; @error is NULL when the guest closed it. A guest of another version of
     * berth is BERTH_ERROR_NOT_RUNNING, "instance.guest-version": a new keeper may be of its
     * version. */
    void (*lost)(const GError *error, gpointer user_data);
} BerthAgentEvents;

/* Takes @fd. @events must outlive the agent. @route6: whether IPv6 leads out of the host now. */
BerthAgent *berth_agent_new(int fd, const BerthMachine *machine, bool route6,
                            const BerthAgentEvents *events, gpointer user_data);
void berth_agent_free(BerthAgent *agent);

/* Ask the guest to power off or to reboot. */
void berth_agent_power(BerthAgent *agent, WirePower action);

/* The disk is being made @size bytes large: let the file system follow. One at a time. */
void berth_agent_grow(BerthAgent *agent, guint64 size);

/* Tell the guest the time and the time zone (an Olson name, or ""). */
void berth_agent_set_clock(BerthAgent *agent, const char *zone);

/* Tell the guest whether IPv6 leads out of the host. */
void berth_agent_set_route6(BerthAgent *agent, bool route6);

/* Tell the guest the host's search domains and the lines of its hosts file, "" for none
 * (WIRE_NAMES). The first time is right after the agent was made: the guest waits for it. */
void berth_agent_set_names(BerthAgent *agent, const char *search, const char *hosts);

/* Pass a session's frame to the guest as @stream. */
void berth_agent_send(BerthAgent *agent, const WireFrame *frame, guint32 stream);
/* The same for a frame without payload. */
void berth_agent_send_empty(BerthAgent *agent, WireType type, guint32 stream);

G_END_DECLS
