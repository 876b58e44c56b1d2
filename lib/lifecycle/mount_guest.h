/* SPDX-License-Identifier: MIT
 *
 * mount_guest — the file server of a mount in its distro: a session of the mount's user, which this
 * opens anew after each end (mount/carrier.h).
 *
 * Not thread-safe.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct BerthMountGuestEnd BerthMountGuestEnd;

/* For the distro @id, which may be renamed meanwhile. Borrows @berth and @user. NULL with @error:
 * it is not registered. */
BerthMountGuestEnd *berth_mount_guest_new(Berth *berth, const char *id, const char *user,
                                          bool start, GError **error);

/* The distro's name as of now; borrowed. */
const char *berth_mount_guest_name(const BerthMountGuestEnd *end);

/* Open the session that the first connect then uses. Errors: "instance.not-running" where the
 * distro is not to be started; "session.*", "mount.old-guest", "mount.ended". */
bool berth_mount_guest_prepare(BerthMountGuestEnd *end, GError **error);

/* For BerthMountGuest; @end is a BerthMountGuestEnd. */
bool berth_mount_guest_connect(gpointer end, int *ret_to_guest, int *ret_from_guest);
void berth_mount_guest_disconnect(gpointer end);

G_END_DECLS
