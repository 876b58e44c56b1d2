/* SPDX-License-Identifier: MIT
 *
 * move — moves a distro's disk and its snapshots to another directory.
 *
 * Links each file to its new path, or copies it across file systems; then updates the row; the end
 * of the claim removes the old files. All are listed in the claim first, so that whenever the
 * command is killed, the row names complete files, and the next command removes the others.
 */
#pragma once

#include "claim.h"
#include "work.h"

G_BEGIN_DECLS

/* Move the disk of @distro, which the caller has claimed with @claim and found stopped, to
 * @directory/NAME.ext4, or back below the data directory if NULL. Creates @directory if only its
 * last component is missing. Succeeds if the disk is already there. Updates @distro. Errors:
 * BERTH_ERROR_EXISTS, "move.create.exists"; errno's, "move.*"; those of disk/file/copy.h. */
bool berth_manage_move(const BerthLayout *layout, BerthRegistry *registry, BerthClaim *claim,
                       BerthDistro *distro, const char *directory, const BerthWatch *watch,
                       GError **error);

G_END_DECLS
