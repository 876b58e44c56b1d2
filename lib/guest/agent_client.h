/* SPDX-License-Identifier: MIT
 *
 * agent_client — the host's side of the guest agent's channel.
 *
 * Sends CONFIG at once, so that the guest never waits for it; turns the agent's messages into
 * callbacks and passes session frames through. The guest is trusted with its own sessions only: a
 * malformed message ends the channel.
 *
 * On the thread-default GMainContext. Arguments of callbacks are borrowed; texts are sanitised
 * (base/text.h) and truncated, names to 64 bytes and lines to 512.
 */
#pragma once

#include "model/machine.h"
#include "wire/share_report.h"
#include "wire/wire.h"

G_BEGIN_DECLS

typedef struct BerthAgentClient BerthAgentClient;

typedef struct {
    void (*hello)(const char *kernel, gpointer user_data);
    /* A boot stage ended @boottime_usec after the kernel started; @problem is NULL on success. */
    void (*stage)(const char *name, guint64 boottime_usec, const char *problem, gpointer user_data);
    /* The guest is ready. @init_timeout_msec is how long the distro wants to wait for its init, at
     * most an hour; or 0. */
    void (*ready)(const char *init, guint init_timeout_msec, gpointer user_data);
    /* A notice about the start, for the user who started it. */
    void (*note)(const char *text, gpointer user_data);
    void (*booted)(const char *status, gpointer user_data);
    void (*listeners)(GPtrArray *listeners /* BerthListener* */, gpointer user_data);
    /* The answer to berth_agent_client_grow; @problem is NULL on success. */
    void (*grown)(const char *problem, gpointer user_data);
    /* The answer to berth_agent_client_freeze; @problem is NULL on success. */
    void (*frozen)(const char *problem, gpointer user_data);
    /* The answer to berth_agent_client_measure, in bytes. */
    void (*measured)(guint64 memory, guint64 available, guint64 disk, guint64 disk_used,
                     gpointer user_data);
    /* The answer to berth_agent_client_reclaim: the guest gave back @taken bytes. @refaulted is how
     * much of what it gave back before it has read again. @busy: it did nothing. */
    void (*reclaimed)(bool busy, guint64 taken, guint64 refaulted, gpointer user_data);
    /* Before @frozen: the guest has something to do then (WIRE_DUE), called @name. Not checked. */
    void (*due)(guint64 at_sec, guint32 lead_sec, guint32 hold_sec, const char *name,
                gpointer user_data);
    /* Before @frozen, and perhaps several times: files of the shares that the guest's processes
     * watch (WIRE_WATCHED). Not checked. */
    void (*watched)(const WireWatch *watches, gsize n_watches, gpointer user_data);
    /* The guest's shares are mounted at @root, and its port waits for their server: the host user's
     * files are @uid's and @gid's. Again when that server has ended. */
    void (*share)(guint32 uid, guint32 gid, const char *root, gpointer user_data);
    /* A frame of a session. False: it is invalid, end the channel. */
    bool (*session)(const WireFrame *frame, gpointer user_data);
    /* The channel closed; @error is NULL when the guest closed it. A guest of another version is
     * BERTH_ERROR_NOT_RUNNING, "instance.guest-version": a new keeper may match it. */
    void (*lost)(const GError *error, gpointer user_data);
} BerthAgentClientEvents;

/* Takes @fd. The guest may have had another client, which ended while it was frozen: it begins
 * anew. @events must outlive the agent. @route6: whether the host has an IPv6 route to the
 * outside. */
BerthAgentClient *berth_agent_client_new(int fd, const BerthMachine *machine, bool route6,
                                         const BerthAgentClientEvents *events, gpointer user_data);
void berth_agent_client_free(BerthAgentClient *agent);

/* Request a power-off or a reboot. */
void berth_agent_client_power(BerthAgentClient *agent, WirePower action);

/* Have the guest grow its file system to @size bytes, to which the disk is being resized. One
 * request at a time. */
void berth_agent_client_grow(BerthAgentClient *agent, guint64 size);

/* Have the guest write its file systems to the disk and freeze the distro's processes; and let them
 * continue. From the first on nothing more is sent, so that a guest that stands still has no part
 * of a frame, until the second function: the guest runs again. */
void berth_agent_client_freeze(BerthAgentClient *agent);
void berth_agent_client_go_on(BerthAgentClient *agent);
/* After a wake, before the second: let their requests reach berth-share, which is to catch up. */
void berth_agent_client_release(BerthAgentClient *agent);
void berth_agent_client_thaw(BerthAgentClient *agent);

/* Have the guest give back memory that it does not need; with @urgent even if it is busy, and more.
 * One request at a time. */
void berth_agent_client_reclaim(BerthAgentClient *agent, bool urgent);

/* Ask how much of its memory and disk the guest uses; an older guest does not answer. */
void berth_agent_client_measure(BerthAgentClient *agent);

/* Tell the guest which directories of the host it sees: the host's path of each, then the guest's.
 * A list that does not fit a frame is not sent. */
void berth_agent_client_set_shares(BerthAgentClient *agent, const char *const *paths);

/* End the guest's shares: the host serves them no more. */
void berth_agent_client_unshare(BerthAgentClient *agent);

/* Send the time and the time zone (an Olson name, or ""). */
void berth_agent_client_set_clock(BerthAgentClient *agent, const char *zone);

/* Update @route6 of berth_agent_client_new. */
void berth_agent_client_set_route6(BerthAgentClient *agent, bool route6);

/* Send the host's search domains and hosts file entries, "" for none (WIRE_NAMES). Call once right
 * after berth_agent_client_new: the guest waits for it. */
void berth_agent_client_set_names(BerthAgentClient *agent, const char *search, const char *hosts);

/* Have a guest that boots add swap of @size bytes in its memory. */
void berth_agent_client_set_swap(BerthAgentClient *agent, guint64 size);

/* Send a session's frame to the guest as @stream. */
void berth_agent_client_send(BerthAgentClient *agent, const WireFrame *frame, guint32 stream);
/* Send a session's frame without payload. */
void berth_agent_client_send_empty(BerthAgentClient *agent, WireType type, guint32 stream);

/* Append frames of calls here, then flush. */
WireBuffer *berth_agent_client_output(BerthAgentClient *agent);
void berth_agent_client_flush(BerthAgentClient *agent);

G_END_DECLS
