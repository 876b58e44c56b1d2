/* SPDX-License-Identifier: MIT
 *
 * move — a distro's disk lies in another directory.
 *
 * Within a file system the disk gets a second name, else a copy is made; the row is switched; at
 * the end of the claim the old one goes. Both are noted in the claim first, so that at whatever
 * point the command is killed the row names a whole disk, and the next command removes the other.
 */
#pragma once

#include "claim.h"
#include "work.h"

G_BEGIN_DECLS

/* Move the disk of @distro, which the caller has claimed with @claim and found stopped, to
 * @directory (made when only its last part is missing), where it is called NAME.ext4; or with NULL
 * back to its place below the data directory. That it lies there already is no error. @distro is
 * brought up to date.
 * Errors: BERTH_ERROR_EXISTS, "move.create.exists"; errno's, "move.*"; those of disk/file/copy.h.
 */
bool berth_manage_move(const BerthLayout *layout, BerthRegistry *registry, BerthClaim *claim,
                       BerthDistro *distro, const char *directory, const BerthWatch *watch,
                       GError **error);

G_END_DECLS
