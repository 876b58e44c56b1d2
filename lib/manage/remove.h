/* SPDX-License-Identifier: MIT
 *
 * remove — unregisters a distro and deletes its disk.
 *
 * The caller holds the claim and has stopped the distro. Once the row is removed, the end of the
 * claim deletes the disk; if the command is killed, a later one does (lib/manage/claim.h).
 */
#pragma once

#include "claim.h"

G_BEGIN_DECLS

/* Remove the row of the claimed distro. Errors: those of the registry and of
 * berth_claim_add_file. */
bool berth_manage_remove(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                         GError **error);

G_END_DECLS
