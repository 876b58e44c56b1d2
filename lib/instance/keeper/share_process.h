/* SPDX-License-Identifier: MIT
 *
 * share_process — an instance's berth-share, which serves directories of the host to the guest.
 *
 * QEMU listens on a socket of this module, and each berth-share is started with a connection to it.
 * A berth-share ends with its connection. If it ends by itself, the guest requests another
 * one, and sends it the requests in flight that change nothing. If the guest has not seen it yet,
 * this module starts another.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/machine.h"
#include "wire/share_report.h"

G_BEGIN_DECLS

typedef struct BerthShareProcess BerthShareProcess;

typedef struct {
    /* A line for the distro's log. */
    void (*log)(const char *text, gpointer user_data);
    /* The guest has sent its first request to a berth-share. */
    void (*begun)(gpointer user_data);
    /* The guest uses the shares that it has now, and nothing that it had cached of former ones. */
    void (*ready)(gpointer user_data);
    /* While the guest is suspended: the host has changed a file that it watches. */
    void (*changed)(gpointer user_data);
    /* A directory is not served: a line for the user, without control codes. */
    void (*skipped)(const char *text, gpointer user_data);
    /* berth-share could not be started, or has ended too often; it is not started again. */
    void (*failed)(const GError *error, gpointer user_data);
} BerthShareProcessEvents;

/* @machine and @events are borrowed and outlive the shares. @dir is the instance's directory,
 * @support_dir holds berth-share. Errors: errno's, "instance.start.*". */
BerthShareProcess *berth_share_process_new(const BerthMachine *machine, const char *dir,
                                           const char *support_dir,
                                           const BerthShareProcessEvents *events,
                                           gpointer user_data, GError **error);
void berth_share_process_free(BerthShareProcess *shares);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthShareProcess, berth_share_process_free)

/* The socket at which QEMU accepts berth-share; borrowed. */
int berth_share_process_guest_fd(const BerthShareProcess *shares);

/* Start berth-share, unless one waits for its first request; the user's files belong to @uid and
 * @gid in the guest. */
void berth_share_process_start(BerthShareProcess *shares, guint32 uid, guint32 gid);

/* The machine has other shares: end a running berth-share, once the guest has seen it. The guest
 * requests another, which serves the new ones. */
void berth_share_process_replace(BerthShareProcess *shares);

/* The guest is suspended: end a running berth-share, and start one that only waits for changes of
 * @watches since @since_nsec (realtime), if there are any. After the wake the guest notices, and
 * requests another; one that it had not seen yet is started by the second function. */
void berth_share_process_suspend(BerthShareProcess *shares, gint64 since_nsec,
                                 const WireWatch *watches, gsize n_watches);
void berth_share_process_wake(BerthShareProcess *shares);

/* Of a suspended guest: what another keeper needs of it, a floating value without its own type; and
 * take that over for a guest that sleeps, of which this one knows nothing. False: @saved is not of
 * the first function. */
GVariant *berth_share_process_save(const BerthShareProcess *shares);
bool berth_share_process_restore(BerthShareProcess *shares, GVariant *saved);

/* How many of the guest's requests have used the shares so far; any difference is use. */
guint64 berth_share_process_requests(const BerthShareProcess *shares);

/* Whether a berth-share waits for the guest's first request. */
bool berth_share_process_is_starting(const BerthShareProcess *shares);

/* Whether the last event was ready. */
bool berth_share_process_is_ready(const BerthShareProcess *shares);

/* The lines of events->skipped of the last berth-share, char *. Borrowed until the next start. */
const GPtrArray *berth_share_process_skipped(const BerthShareProcess *shares);

/* End it, with the guest. */
void berth_share_process_stop(BerthShareProcess *shares);

G_END_DECLS
