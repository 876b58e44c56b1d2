/* SPDX-License-Identifier: MIT
 *
 * net_process — an instance's berth-net and the forwards it holds.
 *
 * Holds both ends of the frames, so that QEMU and berth-net can each be replaced without the other
 * noticing more than lost packets. A berth-net that dies is started again and its forwards are
 * opened anew; one that does so again and again is given up. It is told the host's name
 * servers and the distros that run, as they change.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/machine.h"
#include "guest_access.h"

G_BEGIN_DECLS

typedef struct BerthNetwork BerthNetwork;

typedef struct {
    /* A line for the distro's log. */
    void (*log)(const char *text, gpointer user_data);
    /* A line for the distro's log and for who works in it: the guest was refused something. */
    void (*refused)(const char *text, gpointer user_data);
    /* There is no network any more; @error is borrowed. */
    void (*failed)(const GError *error, gpointer user_data);
    /* The forwards are others, or in other states: all of them, BerthForward*, borrowed. */
    void (*changed)(const GPtrArray *forwards, gpointer user_data);
} BerthNetworkEvents;

/* @machine and @events are borrowed and outlive the network. @dir is the instance's directory,
 * whose siblings are the other distros; @support_dir holds berth-net. Errors: errno's,
 * "instance.start.*"; those of net/client.h and guest_access.h. */
BerthNetwork *berth_network_new(const BerthMachine *machine, const char *dir,
                                const char *support_dir, const BerthNetworkEvents *events,
                                gpointer user_data, GError **error);
void berth_network_free(BerthNetwork *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNetwork, berth_network_free)

/* QEMU's end of the frames; borrowed. */
int berth_network_guest_fd(const BerthNetwork *network);

/* Where the guest may go; borrowed. What is changed there takes effect at once. */
BerthGuestAccess *berth_network_access(BerthNetwork *network);

/* What listens in the guest now (BerthListener*, kept); NULL: nothing, the guest is gone. */
void berth_network_update(BerthNetwork *network, GPtrArray *listeners);

/* Whether there is to be a forward of @rule, whatever listens. Both again is no error. */
void berth_network_set_rule(BerthNetwork *network, const BerthRule *rule, bool wanted);

/* All forwards, BerthForward*, sorted by port. Free with g_ptr_array_unref. */
GPtrArray *berth_network_forwards(const BerthNetwork *network);

G_END_DECLS
