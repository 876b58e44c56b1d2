/* SPDX-License-Identifier: MIT
 *
 * twin — detects that a new disk has the same origin as another distro's: two imports of one
 * archive, or an image that was copied and imported in place.
 *
 * The distro of such a copy gets a machine-id and host keys of its own at its first start, as a
 * clone does. Without a twin the disk keeps the archive's: it may be a machine that moved here,
 * known to ssh clients, journals and DHCP leases.
 *
 * Compares the UUIDs of the file systems: the writer derives them from the content, and they
 * survive use, moves and resizes.
 */
#pragma once

#include "model/distro.h"
#include "store/registry.h"

G_BEGIN_DECLS

/* Set @distro's own_identity if its disk, which is complete, has the origin of another distro's.
 * Unreadable disks count as different. Errors: the registry's. */
bool berth_twin_mark(BerthRegistry *registry, BerthDistro *distro, GError **error);

G_END_DECLS
