/* SPDX-License-Identifier: MIT
 *
 * carrier — carries the requests of this host's kernel for one mount to the file server in a guest,
 * and its answers back.
 *
 * No request waits for a guest that has gone: it fails with ENOTCONN at once. The next one connects
 * again. A request that a signal interrupts fails with EINTR if the guest does not answer it within
 * a second. The guest is not trusted: an answer to what was not asked is dropped, and it cannot
 * send notifications.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* How to reach the guest. Called in one thread of the carrier's. */
typedef struct {
    /* Connect to a file server, which has said hello. Stores blocking descriptors, valid until
     * @disconnect. False: there is none now. */
    bool (*connect)(gpointer data, int *ret_to_guest, int *ret_from_guest);
    /* End the connection, which may have ended already; closes both descriptors. */
    void (*disconnect)(gpointer data);
    gpointer data;
    const char *id; /* of its distro: WIRE_MOUNT_DISTRO */
} BerthMountGuest;

/* Serve the mount of /dev/fuse's descriptor @fuse until it is unmounted, and then end the process:
 * its threads may still wait for the guest. The caller ignores SIGPIPE. */
void berth_mount_carry(int fuse, const BerthMountGuest *guest) G_GNUC_NORETURN;

G_END_DECLS
