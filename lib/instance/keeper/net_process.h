/* SPDX-License-Identifier: MIT
 *
 * net_process — an instance's berth-net and the forwards it holds.
 *
 * Holds both ends of the frame socket, so that QEMU and berth-net can each be restarted; the other
 * side sees only lost packets. Restarts a berth-net that dies and reopens its forwards; gives it up
 * after too many restarts in a short time. Keeps it up to date about the host's name servers and
 * the running distros.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/machine.h"
#include "guest_access.h"

G_BEGIN_DECLS

typedef struct BerthNetProcess BerthNetProcess;

typedef struct {
    /* A line for the distro's log. */
    void (*log)(const char *text, gpointer user_data);
    /* A line for the distro's log and its terminals: a connection of the guest was refused. */
    void (*refused)(const char *text, gpointer user_data);
    /* The network was given up; @error is borrowed. */
    void (*failed)(const GError *error, gpointer user_data);
    /* After berth_net_process_watch: from now on no frame is missed. @wait_usec: how long to wait,
     * and watch again, before the guest is suspended (net/activity.h). */
    void (*watched)(gint64 wait_usec, gpointer user_data);
    /* A frame that wakes the guest (net/wake.h) waits for it. Called once for each watch, after
     * watched, unless berth-net ended meanwhile: then either may be called again. */
    void (*wake)(gpointer user_data);
    /* After berth_net_process_count, unless berth-net ended meanwhile: BerthStackCounters.active.
     */
    void (*counted)(guint64 frames, guint64 received, guint64 sent, gpointer user_data);
    /* The list of forwards or a state changed: all of them, BerthForward*, borrowed. */
    void (*changed)(const GPtrArray *forwards, gpointer user_data);
} BerthNetProcessEvents;

/* @machine and @events are borrowed and outlive the network. @dir is the instance's directory,
 * whose siblings are the other distros; @support_dir holds berth-net. Errors: errno's,
 * "instance.start.*"; those of net/client.h and guest_access.h. */
BerthNetProcess *berth_net_process_new(const BerthMachine *machine, const char *dir,
                                       const char *support_dir, const BerthNetProcessEvents *events,
                                       gpointer user_data, GError **error);
void berth_net_process_free(BerthNetProcess *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNetProcess, berth_net_process_free)

/* QEMU's end of the frames; borrowed. */
int berth_net_process_guest_fd(const BerthNetProcess *network);

/* Where the guest may connect to; borrowed. Changes take effect at once. */
BerthGuestAccess *berth_net_process_access(BerthNetProcess *network);

/* Begin to watch for frames that wake the guest, also in a berth-net that is started later, until
 * unwatched. The guest still gets every frame. */
void berth_net_process_watch(BerthNetProcess *network);
void berth_net_process_unwatch(BerthNetProcess *network);

/* Ask for the number of frames that were active (net/stack.h). */
void berth_net_process_count(BerthNetProcess *network);

/* Set the guest's listeners (BerthListener*; a reference is kept); NULL: the guest is gone. */
void berth_net_process_update(BerthNetProcess *network, GPtrArray *listeners);

/* Add a forward by @rule, which needs no listener, or remove it. Idempotent. */
void berth_net_process_set_rule(BerthNetProcess *network, const BerthRule *rule, bool wanted);

/* All forwards, BerthForward*, sorted by port. Free with g_ptr_array_unref. */
GPtrArray *berth_net_process_forwards(const BerthNetProcess *network);

G_END_DECLS
