/* SPDX-License-Identifier: MIT
 *
 * request — sends requests to a keeper and waits for the answers: the client's calls of the control
 * protocol (instance/control/control.h).
 *
 * All block. @fd is a connection of runtime.h and stays the caller's. Errors: a lost connection is
 * BERTH_ERROR_GUEST, "instance.lost"; an invalid answer BERTH_ERROR_PROTOCOL, "instance.answer"; a
 * keeper of another version BERTH_ERROR_PROTOCOL, "instance.version" (except for
 * berth_request_stop).
 */
#pragma once

#include "channel.h"
#include "instance/control/control.h"

G_BEGIN_DECLS

/* Callbacks of a call that waits for the distro: line gets each notice of a pause. */
typedef struct {
    void (*line)(const char *line, gpointer user_data); /* may be NULL */
    gpointer user_data;
    bool (*goes_on)(gpointer user_data); /* as in channel.h */
    gpointer goes_on_data;
} BerthWaiting;

/* Return when sessions can be opened and the init has finished starting (or init-timeout is over).
 * Errors: the keeper's reason why the guest did not come up. */
bool berth_request_wait(int fd, const BerthWaiting *waiting, GError **error);

/* Answers at once, in any state. NULL on error. */
BerthInstanceStatus *berth_request_status(int fd, GError **error);

/* The forwards, BerthForward*, sorted by port; free with g_ptr_array_unref. NULL on error. */
GPtrArray *berth_request_ports(int fd, GError **error);

/* Ask for the forwards now and at each change; read them with berth_request_watched. */
bool berth_request_watch(BerthChannel *channel, GError **error);

/* The next complete list in @channel, as from berth_request_ports. NULL without @error: incomplete,
 * so fill the channel; or, with *@ret_ended, the distro has stopped. *@partial holds an incomplete
 * list: NULL at first, the caller frees it. */
GPtrArray *berth_request_watched(BerthChannel *channel, GPtrArray **partial, bool *ret_ended,
                                 GError **error);

/* Add or remove the forward by @rule until the distro stops.
 * Errors: BERTH_ERROR_NOT_RUNNING, "instance.stopped". */
bool berth_request_set_rule(int fd, const BerthRule *rule, bool wanted, GError **error);

/* The directories of the host that the guest sees now: the host's path of each, then the guest's.
 * Free with g_strfreev. NULL on error. */
char **berth_request_shares(int fd, GError **error);

/* Replace the list of the directories that the guest sees by @shares, texts of model/share.h.
 * Returns when the guest uses them. *@ret_skipped has a line for the user about each that cannot be
 * served; free with g_strfreev. Errors: BERTH_ERROR_NOT_RUNNING, "instance.stopped";
 * BERTH_ERROR_DENIED, "instance.isolated"; BERTH_ERROR_INVALID, "share.many". */
bool berth_request_set_shares(int fd, const char *const *shares, BerthSharesEffect *ret_effect,
                              char ***ret_skipped, GError **error);

/* The report of the current start so far. NULL on error. */
BerthBootReport *berth_request_boot(int fd, GError **error);

/* Power the guest off; returns when QEMU and the keeper's runtime files are gone. */
bool berth_request_stop(int fd, BerthStopHow how, guint grace_sec, const BerthWaiting *waiting,
                        GError **error);

/* Suspend the guest, which is up; returns when QEMU has gone. Idempotent. Errors: BERTH_ERROR_BUSY
 * "suspend.busy", while it starts, wakes, is paused or resized; "suspend.guest", "suspend.timeout",
 * those of vmm/device_state.h: it goes on. */
bool berth_request_suspend(int fd, const BerthWaiting *waiting, GError **error);

/* Before a hold for berth_request_save: copy the memory of a guest that runs as far as that can be
 * done before it stands still. The keeper keeps the copy until the save, or the end of @fd.
 * Success, if there is nothing to copy. Errors: "park.memory", "park.write.*". */
bool berth_request_prepare(int fd, const BerthWaiting *waiting, GError **error);

/* Have the guest, which is up or suspended, stand still, and nothing write its disk, until the
 * release or the end of @fd: traffic, commands and timers wait meanwhile. Returns when that is so.
 * *@ret_was_awake: it goes on at the release. Errors: as of berth_request_suspend. */
bool berth_request_hold(int fd, const BerthWaiting *waiting, bool *ret_was_awake, GError **error);

/* Save the memory of the distro, which this connection holds, for the copy of its disk at @disk:
 * success when it may go on, and its file is being written; BERTH_SAVED_PARKED: its memory is in
 * its own parked file. @flags: BerthSaveFlags; *@ret_memory is what was lent, or -1, and the
 * caller's. Errors: "save.refused", "save.lent", "park.*", "vmm.state.*". */
bool berth_request_save(int fd, const char *disk, guint flags, const BerthWaiting *waiting,
                        BerthSaved *ret_how, int *ret_memory, GError **error);

/* Wait for that file. One that was suspended before must stay held until then. */
bool berth_request_written(int fd, const BerthWaiting *waiting, GError **error);

/* Let it go on. Success: it was held without a break. Errors: "hold.lost". */
bool berth_request_release(int fd, GError **error);

/* Suspend the guest, and save its memory in a file; returns when it has been given back. Errors:
 * also "park.refused", "park.woken" when it was needed meanwhile, "park.write.*": it stays
 * suspended. */
bool berth_request_park(int fd, const BerthWaiting *waiting, GError **error);

/* Keep the guest awake for @seconds from now on, waking it; 0: no longer; BERTH_KEEP_UNTIL_STOP. */
bool berth_request_keep(int fd, guint32 seconds, GError **error);

/* Grow the disk of a guest that is up to @size bytes; returns when its file system has grown.
 * Errors: BERTH_ERROR_NOT_RUNNING, "instance.stopped"; BERTH_ERROR_FAILED, "qmp.command"; once the
 * disk has the size, BERTH_ERROR_GUEST, "resize.guest"; BERTH_ERROR_BUSY, "resize.busy" while
 * another client's request runs. */
bool berth_request_grow(int fd, guint64 size, const BerthWaiting *waiting, GError **error);

/* Replace the registry's list of host ports that the guest may reach (model/access.h).
 * Errors: "access.*". */
bool berth_request_set_host_ports(int fd, const char *ports, GError **error);

/* Allow the guest one more port of the host until it stops; in any state. Errors:
 * "instance.isolated", "access.ports". */
bool berth_request_allow_host_port(int fd, guint16 port, GError **error);

G_END_DECLS
