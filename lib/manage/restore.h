/* SPDX-License-Identifier: MIT
 *
 * restore — gives a distro the disk that it had at a snapshot.
 *
 * The disk as it was becomes the snapshot "before-restore", without a copy: its file gets a second
 * name first, then a copy of the snapshot takes the disk's own. A disk whose content is in a
 * snapshot anyway is not kept.
 *
 *     1. the copy of the snapshot, complete and synced, still without a name
 *     2. the second name, listed in the claim; then its row, with a tag that no snapshot has
 *     3. the copy is renamed over the disk
 *     4. in one transaction the row is called before-restore, and the former one of that tag ends
 *
 * A kill between 2 and 3 leaves the snapshot as a second name of the disk: the next claim forgets
 * it (claim.h). One between 3 and 4 leaves one snapshot more, which the next restore removes.
 */
#pragma once

#include "snapshot.h"

G_BEGIN_DECLS

typedef struct {
    bool unchanged; /* the disk was as the snapshot, and still is */
    char *kept;     /* the tag of the snapshot that has what was replaced, or NULL; g_free */
} BerthRestored;

/* Give @distro, which the caller has claimed with @claim and found stopped, the disk of @snapshot,
 * even if its own is missing. Updates @distro. Errors: BERTH_ERROR_NOT_FOUND,
 * "restore.snapshot.missing"; those of snapshot_copy.h, hold.h and disk/file/temp.h,
 * "restore.*". */
bool berth_manage_restore(BerthRegistry *registry, BerthClaim *claim, BerthDistro *distro,
                          const BerthSnapshot *snapshot, const BerthSnapshotWatch *watch,
                          BerthRestored *ret_restored, GError **error);

G_END_DECLS
