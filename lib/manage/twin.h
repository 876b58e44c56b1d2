/* SPDX-License-Identifier: MIT
 *
 * twin — whether a new disk began as the same one as another distro's: two imports of one archive,
 * or an image that was copied and imported in place.
 *
 * Such a disk is a copy, and its distro gets a machine-id and host keys of its own at its first
 * start, as a clone does. A disk that no other distro has the like of keeps what the archive
 * brings: that is a machine that moved here, whose ssh clients, journal and leases know it.
 *
 * Told by the UUID of the file system, which the writer derives from what is in it, and which stays
 * when the disk is used, moved or resized.
 */
#pragma once

#include "model/distro.h"
#include "store/registry.h"

G_BEGIN_DECLS

/* Set @distro's own_identity when another distro's disk is of the same origin as its own, which is
 * complete. Disks that cannot be read count as others. Errors: the registry's. */
bool berth_twin_mark(BerthRegistry *registry, BerthDistro *distro, GError **error);

G_END_DECLS
